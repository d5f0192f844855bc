// The life of a job as a pure table: state x event -> state, or a refusal. Nothing else decides
// where a job may go.
#ifndef SASQ_SERVER_JOB_STATE_H_
#define SASQ_SERVER_JOB_STATE_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// What can happen to a job.
enum class JobEvent {
  kLeased,           // a worker took it
  kSucceeded,        // the holder, or an earlier job that did the same, has a result
  kFailed,           // the attempt failed, and no other one is made; or the result broke a gate
  kAttemptLost,      // the attempt ended without a result, and another one is made
  kCancelRequested,  // CancelJob was called
  kCancelConfirmed,  // the holder stopped because it was told to cancel
};

inline constexpr JobEvent kAllJobEvents[] = {
    JobEvent::kLeased,      JobEvent::kSucceeded,       JobEvent::kFailed,
    JobEvent::kAttemptLost, JobEvent::kCancelRequested, JobEvent::kCancelConfirmed,
};

// Where `event` takes a job in `state`; nullopt where it cannot happen. A job that is CANCELLING
// ends CANCELLED whatever the attempt says: cancel wins over a result, and nothing is published.
std::optional<v1::JobState> NextJobState(v1::JobState state, JobEvent event);

// SUCCEEDED, FAILED or CANCELLED: nothing happens to the job any more.
bool IsEndedState(v1::JobState state);

// RUNNING or CANCELLING: a worker holds the job's lease.
bool IsLeasedState(v1::JobState state);

// "queued", "running" ...: the form used in metrics and messages.
absl::string_view JobStateName(v1::JobState state);

absl::string_view JobEventName(JobEvent event);

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_STATE_H_
