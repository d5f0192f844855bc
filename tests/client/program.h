// The program `sasq` as a child process.
#ifndef SASQ_TESTS_CLIENT_PROGRAM_H_
#define SASQ_TESTS_CLIENT_PROGRAM_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

namespace sasq::testing {

struct ProgramResult {
  int exit_code = -1;  // -1: killed by a signal
  std::string out;
  std::string err;  // with a terminal both streams are in `out`
};

// A run of the program, with an environment of its own: only what a test names, besides HOME (an
// empty folder), LANG=C.UTF-8 and TZ=UTC.
class Program {
 public:
  struct Options {
    std::vector<std::string> arguments;
    std::map<std::string, std::string> environment;
    std::string input;            // standard input
    std::string folder;           // working folder, empty: this one's
    bool on_terminal = false;     // both outputs are a pseudo terminal
    unsigned short columns = 80;  // of that terminal
  };

  explicit Program(const Options& options);
  // Ends the child if it is still there.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void Signal(int number) const;
  // Reads until `out` holds `text`, or to the end.
  void ReadUntil(const std::string& text);
  // Reads everything and waits for the end.
  ProgramResult Finish();

 private:
  // Reads what comes next; false once both streams have ended.
  bool ReadMore();

  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;  // -1: ended
  ProgramResult result_;
};

// Program(options).Finish() without a terminal.
ProgramResult RunProgram(std::vector<std::string> arguments,
                         std::map<std::string, std::string> environment = {});

}  // namespace sasq::testing

#endif  // SASQ_TESTS_CLIENT_PROGRAM_H_
