// `sasq compare A B`.
#ifndef SASQ_CLIENT_COMMANDS_COMPARE_H_
#define SASQ_CLIENT_COMMANDS_COMPARE_H_

#include "client/commands/command.h"

namespace sasq {

// Prints two results side by side.
absl::StatusOr<ExitCode> RunSideBySide(const CommandContext& context,
                                       const CompareOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_COMPARE_H_
