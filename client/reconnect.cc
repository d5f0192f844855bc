#include "client/reconnect.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/exit_code.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr absl::Duration kLongestWait = absl::Seconds(5);

// Whether the same call may succeed later without anybody's doing.
bool IsPassing(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kResourceExhausted;
}

}  // namespace

absl::Duration Backoff::Next() {
  const double share = std::uniform_real_distribution<double>(0.5, 1.0)(random_);
  const absl::Duration wait = std::max(absl::Milliseconds(200), ceiling_ * share);
  ceiling_ = std::min(ceiling_ * 2, kLongestWait);
  return wait;
}

Reconnector::Reconnector(ReconnectOptions options, const Clock* clock, Interrupt* interrupt,
                         std::function<void(const std::string&)> note)
    : options_(options),
      clock_(clock),
      interrupt_(interrupt),
      note_(std::move(note)),
      backoff_(std::random_device()()) {}

void Reconnector::OnMessage() {
  if (outage_start_ == absl::InfiniteFuture()) return;
  note_("connected again");
  outage_start_ = absl::InfiniteFuture();
  backoff_.Reset();
}

absl::Status Reconnector::OnBreak(const absl::Status& status) {
  const absl::Time now = clock_->Now();
  if (now >= options_.deadline) return WaitTimedOutError("the wait timed out");
  if (!IsPassing(status)) return status;
  if (outage_start_ == absl::InfiniteFuture()) {
    outage_start_ = now;
    note_(absl::StrCat("connection lost, reconnecting for up to ",
                       DurationText(options_.give_up_after)));
  }
  if (now - outage_start_ >= options_.give_up_after) {
    return absl::Status(status.code(),
                        absl::StrCat("gave up after ", DurationText(options_.give_up_after),
                                     " without a connection: ", status.message()));
  }
  const absl::Duration wait = std::min(backoff_.Next(), options_.deadline - now);
  if (!interrupt_->SleepFor(wait)) return absl::CancelledError("interrupted");
  return absl::OkStatus();
}

}  // namespace sasq
