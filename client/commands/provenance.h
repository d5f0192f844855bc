// The commands about where an artifact comes from: `artifacts verify` and `artifacts sign`.
#ifndef SASQ_CLIENT_COMMANDS_PROVENANCE_H_
#define SASQ_CLIENT_COMMANDS_PROVENANCE_H_

#include "client/commands/command.h"

namespace sasq {

// Recomputes what the manifest and the signature say and prints each; kFailed if something differs.
absl::StatusOr<ExitCode> RunVerify(const CommandContext& context, const VerifyOptions& options);

// Verifies the files and signs what they are and where they come from. A passphrase of the key is
// taken from $SASQ_KEY_PASSPHRASE.
absl::StatusOr<ExitCode> RunSign(const CommandContext& context, const SignOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_PROVENANCE_H_
