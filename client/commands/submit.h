// `sasq submit`, `sasq compare` and `sasq plan`.
#ifndef SASQ_CLIENT_COMMANDS_SUBMIT_H_
#define SASQ_CLIENT_COMMANDS_SUBMIT_H_

#include "client/commands/command.h"

namespace sasq {

// Submits a job and prints its name, or with `wait` follows it to its result.
absl::StatusOr<ExitCode> RunSubmit(const CommandContext& context, const SubmitOptions& options);

// Submits a comparison and follows it to its table, or with `detach` prints its name.
absl::StatusOr<ExitCode> RunCompare(const CommandContext& context, const CompareOptions& options);

// Prints what a job would do without making it.
absl::StatusOr<ExitCode> RunPlan(const CommandContext& context, const PlanOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_SUBMIT_H_
