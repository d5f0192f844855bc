// The worker's loop: leases a task, runs it, delivers the outcome, and again.
#ifndef SASQ_WORKER_WORKER_H_
#define SASQ_WORKER_WORKER_H_

#include <memory>
#include <stop_token>
#include <string>

#include "absl/random/random.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/trace.h"
#include "sasq/v1/quantization_service.pb.h"
#include "worker/backoff.h"
#include "worker/dispatch_client.h"
#include "worker/lease_keeper.h"
#include "worker/task_runner.h"
#include "worker/worker_metrics.h"

namespace sasq {

// Survives everything that the coordinator or a task can do: outages are waited out, a task's
// failure is reported, a lost lease is dropped. It ends by Drain, or when its device failed.
class Worker {
 public:
  struct Options {
    std::string coordinator;                 // host:port
    std::shared_ptr<grpc::Channel> channel;  // to it; null: one without TLS and token
    std::string worker_id;                   // 1..128 bytes, unique in the fleet
    v1::WorkerCapabilities capabilities;
    // How long one LeaseTask waits for a job. 0..60 s.
    absl::Duration lease_wait = absl::Seconds(20);
    // How long a draining worker tries to hand its task back before it leaves that to the lease's
    // expiry.
    absl::Duration drain_timeout = absl::Seconds(10);
    // LeaseKeeper::Options::max_silence.
    absl::Duration max_silence = absl::Minutes(10);
    Backoff::Options backoff;
    const Clock* clock = Clock::Real();
    const Tracer* tracer = &Tracer::Off();  // of each task, its stages and its delivery
    TaskRunner* runner = nullptr;           // borrowed
    MetricRegistry* metrics = nullptr;      // borrowed
  };

  // INVALID_ARGUMENT names the option that is out of range.
  static absl::StatusOr<std::unique_ptr<Worker>> Create(Options options);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Works on the calling thread until Drain. Call once. After a task that failed with the reason
  // DEVICE_FAULT (another worker tries it again, which counts as an attempt) it returns that
  // status: this process can compute no more and must be started anew.
  absl::Status Run();

  // Stops the task that runs, hands it back with its latest checkpoint and makes Run return.
  // Thread-safe; returns at once; may be called again.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  explicit Worker(Options options);

  // Registers, however long it takes; a drain ends the tries.
  void RegisterUntilDone();
  absl::Status Register() ABSL_LOCKS_EXCLUDED(mutex_);
  // Leases and runs tasks until the worker drains or has to register again.
  void Serve();
  // Hands back what the LeaseTask that a drain cut short may have leased.
  void HandBackUndelivered();
  void RunTask(const dispatch::v1::Task& task);
  // Runs the task while its lease is kept. Nothing is run when the worker drains already.
  absl::StatusOr<TaskResult> RunLeased(const dispatch::v1::Task& task, TaskReport& report,
                                       LeaseKeeper::Verdict* verdict) ABSL_LOCKS_EXCLUDED(mutex_);
  // Sends log that one message cannot hold. Best effort.
  void FlushLog(const dispatch::v1::Task& task, TaskReport& report);
  // Delivers an outcome, however long it takes; once draining, for drain_timeout at most. Returns
  // the outcome that the coordinator took, for metrics: `lost` if it took none.
  absl::string_view Deliver(dispatch::v1::CompleteTaskRequest request, const TraceContext& trace);

  bool draining() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits; the begin of a drain ends the wait.
  void Pause(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const Options options_;
  const std::string instance_id_;

  // Own synchronization.
  WorkerMetrics metrics_;
  DispatchClient client_;

  // Used by Run's thread.
  absl::BitGen random_;
  absl::Status device_fault_;  // OK until the device failed

  mutable Mutex mutex_;
  CondVar changed_;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time drain_deadline_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  std::stop_source task_stop_ ABSL_GUARDED_BY(mutex_){std::nostopstate};  // of the task that runs
  absl::Duration heartbeat_interval_ ABSL_GUARDED_BY(mutex_);             // as last registered
};

}  // namespace sasq

#endif  // SASQ_WORKER_WORKER_H_
