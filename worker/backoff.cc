#include "worker/backoff.h"

#include <algorithm>

#include "absl/random/distributions.h"

namespace sasq {

absl::Duration Backoff::Next() {
  delay_ = delay_ == absl::ZeroDuration() ? options_.initial : std::min(2 * delay_, options_.max);
  return delay_ * absl::Uniform(random_, 0.5, 1.0);
}

bool IsTransient(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:         // of a broken connection, too
    case absl::StatusCode::kUnauthenticated:  // until the operator replaces the token's file
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace sasq
