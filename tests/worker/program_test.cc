// The program sasq-worker as operators start and stop it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "kernels/cuda_device.h"
#include "tests/support/temporary_folder.h"
#include "tests/worker/fake_coordinator.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;
using Seen = FakeCoordinator::Seen;

// A run of the program. Its standard error goes to a file.
class WorkerProgram {
 public:
  explicit WorkerProgram(std::vector<std::string> arguments, const char* kernel_path = nullptr) {
    arguments.insert(arguments.begin(), SASQ_WORKER_PROGRAM);
    pid_ = fork();
    if (pid_ != 0) return;
    const int log = open(log_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDERR_FILENO);
    if (kernel_path != nullptr) setenv("SASQ_KERNEL_PATH", kernel_path, 1);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  ~WorkerProgram() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }

  void Signal(int number) const { kill(pid_, number); }
  // Waits for the end; -1 if a signal ended it.
  int ExitCode() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string log() const { return ReadFile(log_path_, 1 << 20).value_or(""); }

 private:
  const TemporaryFolder folder_;
  const std::string log_path_ = folder_.Path("log");
  pid_t pid_ = -1;
};

TEST(WorkerProgramTest, RegistersWithWhatItMeasuredAndDrainsOnSigterm) {
  FakeCoordinator coordinator;
  const TemporaryFolder folder;
  const std::string port_file = folder.Path("port.json");
  WorkerProgram program({"--coordinator", coordinator.address(), "--worker_id", "w7", "--threads",
                         "1", "--port_file", port_file});
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls > 0; }))
      << program.log();
  const auto registration = coordinator.seen().registrations.at(0);
  EXPECT_EQ(registration.worker_id(), "w7");
  EXPECT_FALSE(registration.version().empty());
  EXPECT_FALSE(registration.capabilities().device_name().empty());
  EXPECT_FALSE(registration.capabilities().kernel_path().empty());
  EXPECT_EQ(registration.capabilities().thread_count(), 1);
  EXPECT_GT(registration.capabilities().memory_bytes(), 1 << 20);
  EXPECT_GT(registration.capabilities().float_flops_per_second(), 1e6);
  EXPECT_THAT(ReadFile(port_file, 100).value(),
              testing::MatchesRegex("[{]\"metrics\": [0-9]+[}]\n"));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.ExitCode(), 0);
  EXPECT_THAT(program.log(), HasSubstr("event=worker_drained worker=w7"));
}

TEST(WorkerProgramTest, ReportsATaskThatFailsAndASecondSignalEndsItAtOnce) {
  FakeCoordinator coordinator;
  coordinator.FailNext("CompleteTask", 1'000'000, absl::UnavailableError("away"));
  coordinator.AddTask("without-a-spec");
  WorkerProgram program({"--coordinator", coordinator.address()});
  // It tries to deliver the failure, and a drain does not end that at once.
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.failed_calls > 0; }))
      << program.log();
  program.Signal(SIGINT);
  const int calls = coordinator.seen().failed_calls;
  ASSERT_TRUE(
      coordinator.WaitUntil([calls](const Seen& seen) { return seen.failed_calls > calls + 1; }));
  program.Signal(SIGTERM);
  EXPECT_EQ(program.ExitCode(), 128 + SIGTERM);
}

TEST(WorkerProgramTest, WrongUseIsExplained) {
  WorkerProgram threads({"--threads", "0"});
  EXPECT_EQ(threads.ExitCode(), 2);
  EXPECT_THAT(threads.log(), HasSubstr("--threads"));
  WorkerProgram device({"--device", "tpu"});
  EXPECT_EQ(device.ExitCode(), 2);
  EXPECT_THAT(device.log(), HasSubstr("--device"));
  WorkerProgram address({"--metrics_address", "nowhere:x"});
  EXPECT_EQ(address.ExitCode(), 1);
  EXPECT_THAT(address.log(), HasSubstr("the address for metrics is \"nowhere:x\", want HOST:PORT"));
}

// Asked for by name, a device that is not there is an error; `auto` computes on the CPU.
TEST(WorkerProgramTest, SaysWhyThereIsNoCudaDevice) {
  if (kernels::FindCudaDevice().ok()) GTEST_SKIP() << "there is a CUDA device";
  WorkerProgram cuda({"--device", "cuda"});
  EXPECT_EQ(cuda.ExitCode(), 1);
  EXPECT_THAT(cuda.log(), HasSubstr("no CUDA device: "));
  FakeCoordinator coordinator;
  WorkerProgram any({"--coordinator", coordinator.address(), "--device", "auto"});
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return !seen.registrations.empty(); }));
  EXPECT_EQ(coordinator.seen().registrations[0].capabilities().device_kind(), v1::DEVICE_KIND_CPU);
  any.Signal(SIGTERM);
  EXPECT_EQ(any.ExitCode(), 0);
  EXPECT_THAT(any.log(), HasSubstr("event=no_cuda"));
}

TEST(WorkerProgramTest, DoesNotServeWithKernelsThatItCannotRun) {
  WorkerProgram program({}, "abacus");
  EXPECT_EQ(program.ExitCode(), 1);
  EXPECT_THAT(program.log(), HasSubstr("abacus"));
}

}  // namespace
}  // namespace sasq
