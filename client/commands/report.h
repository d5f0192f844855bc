// `sasq report`.
#ifndef SASQ_CLIENT_COMMANDS_REPORT_H_
#define SASQ_CLIENT_COMMANDS_REPORT_H_

#include "client/commands/command.h"

namespace sasq {

// Prints the report of an artifact as it lies there.
absl::StatusOr<ExitCode> RunReport(const CommandContext& context, const ReportOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_REPORT_H_
