// The command line: words to plain data. The only place that knows CLI11.
#ifndef SASQ_CLIENT_COMMAND_LINE_H_
#define SASQ_CLIENT_COMMAND_LINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/options.h"

namespace sasq {

struct CommandLine {
  GlobalOptions globals;
  CommandOptions command;
  std::string help;  // not empty: print this instead
};

// INVALID_ARGUMENT names the flag and the help to read.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMAND_LINE_H_
