// The commands about jobs that are there: `get list watch wait logs cancel delete`.
#ifndef SASQ_CLIENT_COMMANDS_JOBS_H_
#define SASQ_CLIENT_COMMANDS_JOBS_H_

#include "client/commands/command.h"

namespace sasq {

// Jobs in the states of `request`, newest first, at most `limit`.
absl::StatusOr<v1::ListJobsResponse> ListUpTo(ServiceClient& client, v1::ListJobsRequest request,
                                              int limit);

absl::StatusOr<ExitCode> RunGet(const CommandContext& context, const GetOptions& options);
absl::StatusOr<ExitCode> RunList(const CommandContext& context, const ListOptions& options);
absl::StatusOr<ExitCode> RunWatch(const CommandContext& context, const WatchOptions& options);
absl::StatusOr<ExitCode> RunWait(const CommandContext& context, const WaitOptions& options);
absl::StatusOr<ExitCode> RunLogs(const CommandContext& context, const LogsOptions& options);
absl::StatusOr<ExitCode> RunCancel(const CommandContext& context, const CancelOptions& options);
absl::StatusOr<ExitCode> RunDelete(const CommandContext& context, const DeleteOptions& options);

}  // namespace sasq

#endif  // SASQ_CLIENT_COMMANDS_JOBS_H_
