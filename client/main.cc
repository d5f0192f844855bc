// sasq: the command line of the SASQ service. docs/cli.md is its manual.
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "client/command_line.h"
#include "client/commands/run.h"
#include "common/signals.h"

namespace {

// The first Ctrl-C ends the command in an orderly way, the second one at once.
void StartSignalThread(const std::shared_ptr<sasq::Interrupt>& interrupt) {
  sasq::BlockStopSignals();
  std::thread([interrupt] {
    sasq::WaitForStopSignal();
    interrupt->Trigger();
    sasq::WaitForStopSignal();
    ::_exit(static_cast<int>(sasq::ExitCode::kInterrupted));
  }).detach();
}

}  // namespace

int main(int argc, char** argv) {
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // errors reach the user as statuses
  const auto interrupt = std::make_shared<sasq::Interrupt>();
  StartSignalThread(interrupt);
  const absl::StatusOr<sasq::CommandLine> line = sasq::ParseCommandLine(argc, argv);
  if (!line.ok()) {
    sasq::OutputStream(2, sasq::ColorMode::kNever).Write(sasq::ErrorText(line.status()));
    return static_cast<int>(sasq::ExitCodeOf(line.status()));
  }
  if (!line->help.empty()) {
    sasq::OutputStream(1, sasq::ColorMode::kNever).Write(line->help);
    return 0;
  }
  return static_cast<int>(sasq::RunCommand(line->globals, line->command, interrupt.get()));
}
