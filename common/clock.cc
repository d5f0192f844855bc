#include "common/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace sasq {
namespace {

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

int64_t MonotonicNanos() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

const Clock* Clock::Real() {
  static const RealClock clock;
  return &clock;
}

Stopwatch::Stopwatch() : start_nanos_(MonotonicNanos()) {}

double Stopwatch::Seconds() const {
  return static_cast<double>(MonotonicNanos() - start_nanos_) * 1e-9;
}

}  // namespace sasq
