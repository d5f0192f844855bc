// Keeps the lease of one task alive while it runs, and stops the task when it has to.
#ifndef SASQ_WORKER_LEASE_KEEPER_H_
#define SASQ_WORKER_LEASE_KEEPER_H_

#include <functional>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "worker/backoff.h"
#include "worker/dispatch_client.h"
#include "worker/task_report.h"

namespace sasq {

// Has one thread of its own, from construction to Stop. Thread-safe.
class LeaseKeeper {
 public:
  // Why the task was stopped.
  enum class Verdict {
    kHeld,       // it was not
    kCancelled,  // the coordinator asked for it
    kLost,       // the lease is not held any more
    kSilent,     // nothing was heard of the coordinator for max_silence
  };

  struct Options {
    std::string worker_id;
    std::string instance_id;
    std::string job;
    std::string lease_token;
    // With worker_id and job in the lines that it logs.
    int attempt = 0;
    std::string trace_id;
    absl::Duration heartbeat_interval;
    // Silence of the coordinator after which the task is stopped. Longer than a lease: a
    // coordinator that was restarted lets leases live on, and fencing makes a wrong guess harmless.
    absl::Duration max_silence;
    DispatchClient* client = nullptr;
    TaskReport* report = nullptr;
    WorkerMetrics* metrics = nullptr;
    Backoff::Options backoff;
    // Registers the worker again after WORKER_NOT_REGISTERED.
    std::function<absl::Status()> register_again;
    // Stopped on any verdict but kHeld.
    std::stop_source stop;
  };

  // Sends the first heartbeat at once.
  explicit LeaseKeeper(Options options);
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  // Sends no more heartbeats once it returns, and says how the lease stands. May be called again.
  Verdict Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // One heartbeat, after registering again if that was wanted, and what follows from its answer.
  absl::Status Beat() ABSL_LOCKS_EXCLUDED(mutex_);
  void Decide(Verdict verdict, absl::string_view why) ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits. False, at once, when Stop was called or a verdict fell.
  bool WaitFor(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const Options options_;

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Verdict verdict_ ABSL_GUARDED_BY(mutex_) = Verdict::kHeld;

  std::thread thread_;  // last: uses the members above
};

}  // namespace sasq

#endif  // SASQ_WORKER_LEASE_KEEPER_H_
