#include "server/job_state.h"

namespace sasq {

std::optional<v1::JobState> NextJobState(v1::JobState state, JobEvent event) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
      if (event == JobEvent::kLeased) return v1::JOB_STATE_RUNNING;
      if (event == JobEvent::kCancelRequested) return v1::JOB_STATE_CANCELLED;
      if (event == JobEvent::kSucceeded) return v1::JOB_STATE_SUCCEEDED;
      if (event == JobEvent::kFailed) return v1::JOB_STATE_FAILED;
      return std::nullopt;
    case v1::JOB_STATE_RUNNING:
      switch (event) {
        case JobEvent::kSucceeded:
          return v1::JOB_STATE_SUCCEEDED;
        case JobEvent::kFailed:
          return v1::JOB_STATE_FAILED;
        case JobEvent::kAttemptLost:
          return v1::JOB_STATE_QUEUED;
        case JobEvent::kCancelRequested:
          return v1::JOB_STATE_CANCELLING;
        case JobEvent::kLeased:
        case JobEvent::kCancelConfirmed:
          return std::nullopt;
      }
      return std::nullopt;
    case v1::JOB_STATE_CANCELLING:
      if (event == JobEvent::kLeased) return std::nullopt;
      if (event == JobEvent::kCancelRequested) return v1::JOB_STATE_CANCELLING;
      return v1::JOB_STATE_CANCELLED;
    case v1::JOB_STATE_CANCELLED:
      if (event == JobEvent::kCancelRequested) return v1::JOB_STATE_CANCELLED;
      return std::nullopt;
    default:
      return std::nullopt;
  }
}

bool IsEndedState(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

bool IsLeasedState(v1::JobState state) {
  return state == v1::JOB_STATE_RUNNING || state == v1::JOB_STATE_CANCELLING;
}

absl::string_view JobStateName(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_QUEUED:
      return "queued";
    case v1::JOB_STATE_RUNNING:
      return "running";
    case v1::JOB_STATE_CANCELLING:
      return "cancelling";
    case v1::JOB_STATE_SUCCEEDED:
      return "succeeded";
    case v1::JOB_STATE_FAILED:
      return "failed";
    case v1::JOB_STATE_CANCELLED:
      return "cancelled";
    default:
      return "unknown";
  }
}

absl::string_view JobEventName(JobEvent event) {
  switch (event) {
    case JobEvent::kLeased:
      return "leased";
    case JobEvent::kSucceeded:
      return "succeeded";
    case JobEvent::kFailed:
      return "failed";
    case JobEvent::kAttemptLost:
      return "attempt lost";
    case JobEvent::kCancelRequested:
      return "cancel requested";
    case JobEvent::kCancelConfirmed:
      return "cancel confirmed";
  }
  return "unknown";
}

}  // namespace sasq
