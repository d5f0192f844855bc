#include "client/follow.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {

bool IsEnded(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

absl::StatusOr<v1::Job> FollowJob(ServiceClient& client, const std::string& name,
                                  Reconnector& reconnector,
                                  absl::FunctionRef<void(const v1::Job&)> take) {
  v1::WatchJobRequest request;
  request.set_name(name);
  v1::Job latest;
  while (true) {
    request.set_after_sequence(latest.sequence());
    absl::Status status =
        client.WatchJob(request, reconnector.deadline(), [&](const v1::WatchJobResponse& response) {
          reconnector.OnMessage();
          if (response.job().sequence() > latest.sequence()) {
            latest = response.job();
            take(latest);
          }
          return absl::OkStatus();
        });
    if (IsEnded(latest.state())) return latest;
    if (status.ok()) status = absl::UnavailableError("the stream ended before the job did");
    SASQ_RETURN_IF_ERROR(reconnector.OnBreak(status));
  }
}

absl::Status FollowLog(ServiceClient& client, const std::string& name, bool follow,
                       Reconnector& reconnector,
                       absl::FunctionRef<absl::Status(absl::string_view)> take) {
  v1::ReadJobLogRequest request;
  request.set_name(name);
  request.set_follow(follow);
  while (true) {
    absl::Status status =
        client.ReadJobLog(request, [&](const v1::ReadJobLogResponse& response) -> absl::Status {
          reconnector.OnMessage();
          if (response.offset() != request.offset()) {
            return absl::DataLossError(absl::StrCat("the log of ", name, " came from byte ",
                                                    response.offset(), ", want ", request.offset(),
                                                    "; run the command again"));
          }
          request.set_offset(request.offset() + static_cast<int64_t>(response.data().size()));
          return take(response.data());
        });
    if (status.ok()) return status;
    SASQ_RETURN_IF_ERROR(reconnector.OnBreak(status));
  }
}

}  // namespace sasq
