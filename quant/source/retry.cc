#include "quant/source/retry.h"

#include <algorithm>

#include "absl/random/distributions.h"
#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace sasq {
namespace {

constexpr char kRetryAfterUrl[] = "sasq/retry_after_milliseconds";

class RealPause final : public Pause {
 public:
  void For(absl::Duration duration, const std::stop_token& stop) override {
    Mutex mutex;
    CondVar changed;
    const std::stop_callback wake(stop, [&] {
      MutexLock lock(&mutex);
      changed.SignalAll();
    });
    const Stopwatch stopwatch;
    MutexLock lock(&mutex);
    while (!stop.stop_requested()) {
      const absl::Duration left = duration - absl::Seconds(stopwatch.Seconds());
      if (left <= absl::ZeroDuration()) return;
      changed.WaitFor(&mutex, left);
    }
  }
};

std::optional<absl::Duration> WaitAskedBy(const absl::Status& status) {
  const absl::optional<absl::Cord> payload = status.GetPayload(kRetryAfterUrl);
  int64_t milliseconds = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &milliseconds)) {
    return std::nullopt;
  }
  return absl::Milliseconds(milliseconds);
}

}  // namespace

Pause* Pause::Real() {
  static RealPause pause;
  return &pause;
}

absl::Status RetryAfter(absl::string_view message, std::optional<absl::Duration> wait) {
  absl::Status status = absl::UnavailableError(message);
  if (wait.has_value()) {
    status.SetPayload(kRetryAfterUrl, absl::Cord(absl::StrCat(absl::ToInt64Milliseconds(*wait))));
  }
  return status;
}

absl::Status Retrier::OnFailure(const absl::Status& status, const std::stop_token& stop) {
  if (!absl::IsUnavailable(status)) return status;
  ++tries_;
  ++idle_tries_;
  if (idle_tries_ >= options_.max_idle_tries || tries_ >= options_.max_tries) {
    return absl::UnavailableError(
        absl::StrCat(status.message(), "; gave up after ", tries_, " tries"));
  }
  const std::optional<absl::Duration> asked = WaitAskedBy(status);
  if (asked.has_value() && *asked > options_.max_retry_after) {
    return absl::UnavailableError(absl::StrCat(
        status.message(), "; the server asks to come back in ", absl::FormatDuration(*asked),
        ", and this worker waits ", absl::FormatDuration(options_.max_retry_after), " at most"));
  }
  absl::Duration wait = options_.initial;
  for (int i = 1; i < idle_tries_ && wait < options_.max; ++i) wait *= 2;
  wait = std::min(wait, options_.max) * absl::Uniform(random_, 0.5, 1.0);
  if (asked.has_value()) wait = std::max(wait, *asked);
  log_(absl::StrCat(status.message(), "; trying again in ",
                    absl::FormatDuration(absl::Trunc(wait, absl::Milliseconds(1)))));
  pause_.For(wait, stop);
  if (stop.stop_requested()) return absl::CancelledError("stopped while fetching");
  return absl::OkStatus();
}

}  // namespace sasq
