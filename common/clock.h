// Time as a dependency: code that needs the time takes a Clock, so that tests decide what time it
// is.
#ifndef SASQ_COMMON_CLOCK_H_
#define SASQ_COMMON_CLOCK_H_

#include <atomic>

#include "absl/time/time.h"

namespace sasq {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The system's clock. Never null, lives forever.
  static const Clock* Real();
};

// A clock that stands still until told. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(absl::Time start) : nanos_(absl::ToUnixNanos(start)) {}
  absl::Time Now() const override { return absl::FromUnixNanos(nanos_.load()); }
  void Advance(absl::Duration duration) { nanos_ += absl::ToInt64Nanoseconds(duration); }

 private:
  std::atomic<int64_t> nanos_;
};

// Seconds of wall time since construction, from the monotonic clock: for reports and rates.
class Stopwatch {
 public:
  Stopwatch();
  double Seconds() const;

 private:
  int64_t start_nanos_;
};

}  // namespace sasq

#endif  // SASQ_COMMON_CLOCK_H_
