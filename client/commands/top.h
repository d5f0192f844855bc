// `sasq top`.
#ifndef SASQ_CLIENT_COMMANDS_TOP_H_
#define SASQ_CLIENT_COMMANDS_TOP_H_

#include "client/commands/command.h"

namespace sasq {

absl::StatusOr<ExitCode> RunTop(const CommandContext& context, const TopOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_TOP_H_
