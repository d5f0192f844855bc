// The command line: words to plain data. Nothing but this, usage_error.h and command_tree.h knows
// CLI11.
#ifndef SASQ_CLIENT_COMMAND_LINE_H_
#define SASQ_CLIENT_COMMAND_LINE_H_

#include <string>

#include "absl/status/statusor.h"
#include "client/command_tree.h"
#include "client/options.h"

namespace sasq {

struct CommandLine {
  GlobalOptions globals;
  CommandOptions command;
  std::string help;  // not empty: print this instead
};

// INVALID_ARGUMENT names the flag and the help to read.
absl::StatusOr<CommandLine> ParseCommandLine(int argc, const char* const* argv);

// What ParseCommandLine understands, for completions and the manual.
CommandTree DescribeCommandLine();

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMAND_LINE_H_
