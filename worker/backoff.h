// How long to wait before the next try of a call that failed.
#ifndef SASQ_WORKER_BACKOFF_H_
#define SASQ_WORKER_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/status/status.h"
#include "absl/time/time.h"

namespace sasq {

// Exponential, with full jitter on the upper half so that a fleet does not return in step:
// the n-th delay lies in [d/2, d) with d = min(initial * 2^(n-1), max). Thread-compatible.
class Backoff {
 public:
  struct Options {
    absl::Duration initial = absl::Milliseconds(200);
    absl::Duration max = absl::Seconds(5);
  };

  // `random` is borrowed.
  Backoff(Options options, absl::BitGenRef random) : options_(options), random_(random) {}

  // The delay before the next try.
  absl::Duration Next();
  // After a success: begin anew.
  void Reset() { delay_ = absl::ZeroDuration(); }

 private:
  const Options options_;
  absl::BitGenRef random_;
  absl::Duration delay_ = absl::ZeroDuration();  // of the try before
};

// Whether a call that ended so may succeed later, unchanged: the coordinator, the way to it or the
// token is at fault, not what was said.
bool IsTransient(const absl::Status& status);

}  // namespace sasq

#endif  // SASQ_WORKER_BACKOFF_H_
