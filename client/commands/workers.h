// `sasq workers`.
#ifndef SASQ_CLIENT_COMMANDS_WORKERS_H_
#define SASQ_CLIENT_COMMANDS_WORKERS_H_

#include "client/commands/command.h"

namespace sasq {

absl::StatusOr<ExitCode> RunWorkers(const CommandContext& context);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_WORKERS_H_
