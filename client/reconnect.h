// When and for how long a broken stream is opened again.
#ifndef SASQ_CLIENT_RECONNECT_H_
#define SASQ_CLIENT_RECONNECT_H_

#include <functional>
#include <random>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/interrupt.h"
#include "common/clock.h"

namespace sasq {

// Waits between attempts: doubling from 0.2 s to 5 s, each drawn from its upper half, so that the
// clients of a restarted service do not return all at once. Thread-compatible.
class Backoff {
 public:
  explicit Backoff(uint32_t seed) : random_(seed) {}
  absl::Duration Next();
  void Reset() { ceiling_ = absl::Milliseconds(200); }

 private:
  std::minstd_rand random_;
  absl::Duration ceiling_ = absl::Milliseconds(200);
};

struct ReconnectOptions {
  absl::Duration give_up_after = absl::Minutes(5);  // of an unbroken outage
  absl::Time deadline = absl::InfiniteFuture();     // of the whole wait
};

// Follows one stream through its outages. Thread-compatible.
class Reconnector {
 public:
  // `note` gets a line when an outage begins and when it ends. What is pointed to must outlive
  // this.
  Reconnector(ReconnectOptions options, const Clock* clock, Interrupt* interrupt,
              std::function<void(const std::string&)> note);

  absl::Time deadline() const { return options_.deadline; }

  // Something arrived: an outage is over.
  void OnMessage();
  // The stream broke: waits and returns OK if it is to be opened again, otherwise the status to
  // give up with: `status` itself unless it can pass by itself, WaitTimedOutError after the
  // deadline, CANCELLED when interrupted.
  absl::Status OnBreak(const absl::Status& status);

 private:
  const ReconnectOptions options_;
  const Clock* const clock_;
  Interrupt* const interrupt_;
  const std::function<void(const std::string&)> note_;

  Backoff backoff_;
  absl::Time outage_start_ = absl::InfiniteFuture();  // InfiniteFuture: no outage
};

}  // namespace sasq

#endif  // SASQ_CLIENT_RECONNECT_H_
