// Following a job or its log to the end through breaks of the connection.
#ifndef SASQ_CLIENT_FOLLOW_H_
#define SASQ_CLIENT_FOLLOW_H_

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "client/reconnect.h"
#include "client/service_client.h"

namespace sasq {

// Whether a job in this state will not change any more.
bool IsEnded(v1::JobState state);

// Watches the job `name` (`jobs/{id}`) until it ended and returns it as it was then. `take` gets
// each newer state once, in order. Errors: those of Reconnector::OnBreak.
absl::StatusOr<v1::Job> FollowJob(ServiceClient& client, const std::string& name,
                                  Reconnector& reconnector,
                                  absl::FunctionRef<void(const v1::Job&)> take);

// Reads the log of the job `name` from its beginning; with `follow`, until the job ended. `take`
// gets every byte once, in order; a status of it that is not OK ends the reading and is returned.
absl::Status FollowLog(ServiceClient& client, const std::string& name, bool follow,
                       Reconnector& reconnector,
                       absl::FunctionRef<absl::Status(absl::string_view)> take);

}  // namespace sasq

#endif  // SASQ_CLIENT_FOLLOW_H_
