// `sasq gate`.
#ifndef SASQ_CLIENT_COMMANDS_GATE_H_
#define SASQ_CLIENT_COMMANDS_GATE_H_

#include "client/commands/command.h"

namespace sasq {

// Asks quality gates of a job that has an artifact and prints what each says; kGateFailed if one
// was not passed.
absl::StatusOr<ExitCode> RunGate(const CommandContext& context, const GateOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_GATE_H_
