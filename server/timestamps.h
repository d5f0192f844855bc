// absl::Time and absl::Duration to and from Protocol Buffers.
#ifndef SASQ_SERVER_TIMESTAMPS_H_
#define SASQ_SERVER_TIMESTAMPS_H_

#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace sasq {

inline void SetTimestamp(absl::Time time, google::protobuf::Timestamp* out) {
  const timespec spec = absl::ToTimespec(time);
  out->set_seconds(spec.tv_sec);
  out->set_nanos(static_cast<int32_t>(spec.tv_nsec));
}

inline absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// `duration` must be finite.
inline void SetDuration(absl::Duration duration, google::protobuf::Duration* out) {
  const timespec spec = absl::ToTimespec(duration);
  out->set_seconds(spec.tv_sec);
  out->set_nanos(static_cast<int32_t>(spec.tv_nsec));
}

inline absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace sasq

#endif  // SASQ_SERVER_TIMESTAMPS_H_
