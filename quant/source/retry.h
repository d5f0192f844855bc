// When what failed is tried again, for how long one waits, and when one gives up.
#ifndef SASQ_QUANT_SOURCE_RETRY_H_
#define SASQ_QUANT_SOURCE_RETRY_H_

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace sasq {

// The seam to time that passes. Thread-safe.
class Pause {
 public:
  virtual ~Pause() = default;
  // Waits. A stop request ends the wait at once.
  virtual void For(absl::Duration duration, const std::stop_token& stop) = 0;

  // Really waits. Never null, lives forever.
  static Pause* Real();
};

struct RetryOptions {
  int max_idle_tries = 6;                     // in a row that brought no byte
  int max_tries = 100;                        // in all
  absl::Duration initial = absl::Seconds(1);  // doubles with every idle try
  absl::Duration max = absl::Minutes(1);
  absl::Duration max_retry_after = absl::Minutes(10);  // of what a server may ask for
};

// UNAVAILABLE that asks for another try after `wait`, as HTTP's Retry-After does.
absl::Status RetryAfter(absl::string_view message, std::optional<absl::Duration> wait);

// Follows the tries of one transfer. Thread-compatible.
class Retrier {
 public:
  // `log` gets a line for every wait. What is referred to outlives this.
  Retrier(RetryOptions options, Pause& pause, std::function<void(absl::string_view)> log)
      : options_(options), pause_(pause), log_(std::move(log)) {}

  // Something arrived.
  void OnProgress() { idle_tries_ = 0; }

  // A try ended with `status`, which is not OK. Waits, and returns OK if it is to be tried again:
  // after UNAVAILABLE, until the tries are used up. Otherwise the status to give up with;
  // CANCELLED after a stop.
  absl::Status OnFailure(const absl::Status& status, const std::stop_token& stop);

 private:
  const RetryOptions options_;
  Pause& pause_;
  const std::function<void(absl::string_view)> log_;
  absl::BitGen random_;
  int idle_tries_ = 0;
  int tries_ = 0;
};

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_RETRY_H_
