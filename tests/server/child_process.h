// Another program that a test starts and that ends with it.
#ifndef SASQ_TESTS_SERVER_CHILD_PROCESS_H_
#define SASQ_TESTS_SERVER_CHILD_PROCESS_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace sasq {

// Killed with the object, and when the test dies.
class ChildProcess {
 public:
  // `user`: whom a test of root gives its rights up for; empty: nobody. Standard output and error
  // go to the end of `log_path`.
  ChildProcess(const std::vector<std::string>& arguments, const std::string& log_path,
               const std::string& user = "");
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Sends a signal (0: none) and waits for the end; the exit code, or minus the signal.
  int Stop(int signal);
  bool Runs();

 private:
  pid_t pid_ = -1;
  int result_ = 0;  // once it has ended
};

// The content of a file; empty if there is none.
std::string TextOfFile(const std::string& path);

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_CHILD_PROCESS_H_
