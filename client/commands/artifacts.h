// The commands about results: `artifacts` and `download`.
#ifndef SASQ_CLIENT_COMMANDS_ARTIFACTS_H_
#define SASQ_CLIENT_COMMANDS_ARTIFACTS_H_

#include "client/commands/command.h"

namespace sasq {

absl::StatusOr<ExitCode> RunArtifacts(const CommandContext& context,
                                      const ArtifactsOptions& options);

// Nothing is written unless every file can be: names, digests and what lies in the folder are
// looked at first.
absl::StatusOr<ExitCode> RunDownload(const CommandContext& context, const DownloadOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_ARTIFACTS_H_
