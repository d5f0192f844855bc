// `sasq health`.
#ifndef SASQ_CLIENT_COMMANDS_HEALTH_H_
#define SASQ_CLIENT_COMMANDS_HEALTH_H_

#include "client/commands/command.h"

namespace sasq {

// Asks the server, or the metrics page of a program, whether it is well: kOk or kUnavailable.
absl::StatusOr<ExitCode> RunHealth(const CommandContext& context, const HealthOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_HEALTH_H_
