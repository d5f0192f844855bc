// The command `export`: from a scale pack and its base model to a folder that engines load.
#ifndef SASQ_CLIENT_COMMANDS_EXPORT_H_
#define SASQ_CLIENT_COMMANDS_EXPORT_H_

#include "client/commands/command.h"

namespace sasq {

// The service is asked only where the source is a job.
absl::StatusOr<ExitCode> RunExport(const CommandContext& context,
                                   const ExportCommandOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_EXPORT_H_
