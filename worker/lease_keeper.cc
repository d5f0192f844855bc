#include "worker/lease_keeper.h"

#include <algorithm>
#include <utility>

#include "absl/random/random.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/rpc_status.h"

namespace sasq {

LeaseKeeper::LeaseKeeper(Options options)
    : options_(std::move(options)), thread_([this] { Run(); }) {}

LeaseKeeper::~LeaseKeeper() { Stop(); }

LeaseKeeper::Verdict LeaseKeeper::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (thread_.joinable()) thread_.join();
  MutexLock lock(&mutex_);
  return verdict_;
}

void LeaseKeeper::Run() {
  const LogScope scope({{"worker", options_.worker_id},
                        {"job", options_.job},
                        {"attempt", options_.attempt},
                        {"trace", options_.trace_id}});
  absl::BitGen random;
  Backoff backoff(options_.backoff, random);
  Stopwatch silence;
  bool answered = true;
  absl::Duration pause;
  do {
    const absl::Status status = Beat();
    options_.metrics->CountHeartbeat(status.ok());
    options_.metrics->SetConnected(status.ok());
    if (status.ok() != answered) {  // once for an outage, not for every try
      answered = status.ok();
      if (answered) {
        LogInfo("heartbeat_answered_again");
      } else {
        LogWarning("heartbeat_failed", {{"error", status}});
      }
    }
    if (answered) {
      silence = Stopwatch();
      backoff.Reset();
      pause = options_.heartbeat_interval;
    } else {
      pause = std::min(backoff.Next(), options_.heartbeat_interval);
      if (absl::Seconds(silence.Seconds()) > options_.max_silence) {
        Decide(Verdict::kSilent, "the coordinator has been silent for too long");
      }
    }
  } while (WaitFor(pause));
}

absl::Status LeaseKeeper::Beat() {
  dispatch::v1::HeartbeatRequest request;
  request.set_worker_id(options_.worker_id);
  request.set_instance_id(options_.instance_id);
  request.set_job(options_.job);
  request.set_lease_token(options_.lease_token);
  options_.report->Fill(&request);

  absl::StatusOr<dispatch::v1::HeartbeatResponse> response = options_.client->Heartbeat(request);
  if (ReasonOf(response.status()) == "WORKER_NOT_REGISTERED") {
    if (absl::Status status = options_.register_again(); !status.ok()) return status;
    response = options_.client->Heartbeat(request);
  }
  if (response.ok()) {
    options_.report->Confirm();
    if (response->directive() == dispatch::v1::DIRECTIVE_CANCEL) {
      Decide(Verdict::kCancelled, "the coordinator asks for it");
    } else if (response->directive() == dispatch::v1::DIRECTIVE_DROP) {
      Decide(Verdict::kLost, "an earlier job has done the same");
    }
    return absl::OkStatus();
  }
  if (absl::IsAborted(response.status())) {
    Decide(Verdict::kLost, response.status().message());
  } else if (absl::IsInvalidArgument(response.status())) {
    options_.report->Confirm();  // saying it again would be refused again
  }
  return response.status();
}

void LeaseKeeper::Decide(Verdict verdict, absl::string_view why) {
  {
    MutexLock lock(&mutex_);
    if (verdict_ != Verdict::kHeld) return;
    verdict_ = verdict;
  }
  LogWarning("task_stopping", {{"why", why}});
  std::stop_source stop = options_.stop;
  stop.request_stop();
}

bool LeaseKeeper::WaitFor(absl::Duration duration) {
  const Stopwatch waited;
  MutexLock lock(&mutex_);
  while (!stopping_ && verdict_ == Verdict::kHeld) {
    const absl::Duration left = duration - absl::Seconds(waited.Seconds());
    if (left <= absl::ZeroDuration()) return true;
    changed_.WaitFor(&mutex_, left);
  }
  return false;
}

}  // namespace sasq
