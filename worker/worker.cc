#include "worker/worker.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "common/uid.h"
#include "worker/task_outcome.h"
#include "worker/task_report.h"

namespace sasq {
namespace {

// A CompleteTask carries up to 24 MiB.
constexpr absl::Duration kCompleteTimeout = absl::Seconds(60);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

// What is the same in every try of a call that keeps failing; messages may differ.
std::string KindOf(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ReasonOf(status));
}

absl::Status CheckOptions(const Worker::Options& options) {
  if (options.coordinator.empty()) {
    return absl::InvalidArgumentError("coordinator is empty, want host:port");
  }
  if (options.worker_id.empty() || options.worker_id.size() > 128) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker_id has ", options.worker_id.size(), " bytes, want 1..128"));
  }
  if (options.lease_wait < absl::ZeroDuration() || options.lease_wait > absl::Seconds(60)) {
    return absl::InvalidArgumentError(
        absl::StrCat("lease_wait is ", absl::FormatDuration(options.lease_wait), ", want 0..60 s"));
  }
  if (options.runner == nullptr || options.metrics == nullptr) {
    return absl::InvalidArgumentError("runner and metrics are required");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(Options options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  if (options.channel == nullptr) {
    SASQ_ASSIGN_OR_RETURN(options.channel, MakeCoordinatorChannel(options.coordinator));
  }
  return std::unique_ptr<Worker>(new Worker(std::move(options)));
}

Worker::Worker(Options options)
    : options_(std::move(options)),
      instance_id_(NewUid()),
      metrics_(options_.metrics),
      client_({.channel = options_.channel}) {}

absl::Status Worker::Run() {
  const LogScope scope({{"worker", options_.worker_id}});
  while (!draining()) {
    RegisterUntilDone();
    Serve();
  }
  metrics_.SetConnected(false);
  LogInfo("worker_drained");
  return device_fault_;
}

void Worker::Drain() {
  std::stop_source task_stop{std::nostopstate};
  {
    MutexLock lock(&mutex_);
    if (draining_) return;
    draining_ = true;
    drain_deadline_ = options_.clock->Now() + options_.drain_timeout;
    task_stop = task_stop_;
    changed_.SignalAll();
  }
  client_.AbortLease();
  task_stop.request_stop();
}

absl::Status Worker::Register() {
  dispatch::v1::RegisterWorkerRequest request;
  request.set_worker_id(options_.worker_id);
  request.set_instance_id(instance_id_);
  request.set_version(std::string(Version()));
  *request.mutable_capabilities() = options_.capabilities;
  absl::StatusOr<dispatch::v1::RegisterWorkerResponse> response = client_.RegisterWorker(request);
  if (!response.ok()) return response.status();
  MutexLock lock(&mutex_);
  // A coordinator that wants no pause between heartbeats would be flooded.
  heartbeat_interval_ =
      std::max(ToDuration(response->heartbeat_interval()), absl::Milliseconds(10));
  return absl::OkStatus();
}

void Worker::RegisterUntilDone() {
  Backoff backoff(options_.backoff, random_);
  std::string told;
  while (!draining()) {
    const absl::Status status = Register();
    metrics_.SetConnected(status.ok());
    if (status.ok()) {
      LogInfo("worker_registered", {{"coordinator", options_.coordinator}});
      return;
    }
    if (KindOf(status) != told) {  // once for each kind of trouble, not for every try
      told = KindOf(status);
      const bool taken = ReasonOf(status) == "WORKER_ID_TAKEN";
      LogWarning(taken ? "worker_id_taken" : "register_failed",
                 {{"coordinator", options_.coordinator},
                  {"error", status},
                  {"next", taken ? "trying until the other process is gone; if it is meant to "
                                   "live, stop this one and choose another --worker_id"
                                 : "trying again"}});
    }
    Pause(backoff.Next());
  }
}

void Worker::Serve() {
  dispatch::v1::LeaseTaskRequest request;
  request.set_worker_id(options_.worker_id);
  request.set_instance_id(instance_id_);
  const int64_t wait_nanos = absl::ToInt64Nanoseconds(options_.lease_wait);
  request.mutable_wait()->set_seconds(wait_nanos / 1'000'000'000);
  request.mutable_wait()->set_nanos(static_cast<int32_t>(wait_nanos % 1'000'000'000));

  Backoff backoff(options_.backoff, random_);
  std::string told;
  while (!draining()) {
    const absl::StatusOr<dispatch::v1::LeaseTaskResponse> response = client_.LeaseTask(request);
    if (response.ok()) {
      metrics_.SetConnected(true);
      backoff.Reset();
      told.clear();
      if (response->has_task()) RunTask(response->task());
      continue;
    }
    if (draining()) {
      HandBackUndelivered();
      return;
    }
    metrics_.SetConnected(false);
    if (ReasonOf(response.status()) == "WORKER_NOT_REGISTERED") {
      LogInfo("worker_unknown", {{"next", "registering again: the coordinator was restarted"}});
      return;
    }
    if (KindOf(response.status()) != told) {
      told = KindOf(response.status());
      LogWarning("lease_failed", {{"error", response.status()}, {"next", "trying again"}});
    }
    Pause(backoff.Next());
  }
}

void Worker::HandBackUndelivered() {
  // Asked again, the coordinator repeats an answer that did not arrive.
  dispatch::v1::LeaseTaskRequest request;
  request.set_worker_id(options_.worker_id);
  request.set_instance_id(instance_id_);
  const absl::StatusOr<dispatch::v1::LeaseTaskResponse> response = client_.LeaseTask(request);
  if (response.ok() && response->has_task()) RunTask(response->task());
}

void Worker::RunTask(const dispatch::v1::Task& task) {
  Span span =
      options_.tracer->Start("attempt", SpanKind::kConsumer, ParseTraceparent(task.traceparent()),
                             {{"sasq.job", task.job()},
                              {"sasq.attempt", absl::StrCat(task.attempt())},
                              {"sasq.worker", options_.worker_id}});
  const LogScope scope(
      {{"job", task.job()}, {"attempt", task.attempt()}, {"trace", span.context().trace_id}});
  LogInfo("task_leased", {{"checkpoint_bytes", task.checkpoint().size()}});
  metrics_.TaskBegan();
  absl::string_view outcome = "lost";
  absl::Status status;
  {
    TaskReport report(options_.clock, &metrics_, {options_.tracer, span.context()});
    LeaseKeeper::Verdict verdict;
    absl::StatusOr<TaskResult> result = RunLeased(task, report, &verdict);
    status = result.status();
    if (ReasonOf(status) == kDeviceFaultReason) {
      device_fault_ = status;
      Drain();
    }
    // Of a silent coordinator nobody knows whether the lease still lives: a result is worth a try.
    const bool lost = verdict == LeaseKeeper::Verdict::kLost ||
                      (verdict == LeaseKeeper::Verdict::kSilent && !result.ok());
    if (!lost) {
      if (!result.ok()) LogInfo("task_stopped", {{"error", status}});
      const StopCause cause = verdict == LeaseKeeper::Verdict::kCancelled ? StopCause::kCancelled
                              : draining()                                ? StopCause::kDraining
                                                                          : StopCause::kNone;
      FlushLog(task, report);
      dispatch::v1::CompleteTaskRequest request =
          MakeOutcome(task, cause, std::move(result), report.UnconfirmedCheckpoint());
      request.set_log_data(report.NextLog());
      outcome = Deliver(std::move(request), span.context());
    }
  }
  metrics_.TaskEnded(outcome);
  LogInfo("task_ended", {{"outcome", outcome}});
  span.SetAttribute("sasq.outcome", outcome);
  span.End(status);
}

absl::StatusOr<TaskResult> Worker::RunLeased(const dispatch::v1::Task& task, TaskReport& report,
                                             LeaseKeeper::Verdict* verdict) {
  std::stop_source stop;
  LeaseKeeper::Options lease;
  lease.worker_id = options_.worker_id;
  lease.instance_id = instance_id_;
  lease.job = task.job();
  lease.attempt = task.attempt();
  lease.trace_id = report.trace_id();
  lease.lease_token = task.lease_token();
  lease.max_silence = options_.max_silence;
  lease.client = &client_;
  lease.report = &report;
  lease.metrics = &metrics_;
  lease.backoff = options_.backoff;
  lease.register_again = [this] { return Register(); };
  lease.stop = stop;
  {
    MutexLock lock(&mutex_);
    *verdict = LeaseKeeper::Verdict::kHeld;
    if (draining_) return absl::CancelledError("the worker drains");
    lease.heartbeat_interval = heartbeat_interval_;
    task_stop_ = stop;
  }
  LeaseKeeper keeper(std::move(lease));
  absl::StatusOr<TaskResult> result = RunGuarded(*options_.runner, task, report, stop.get_token());
  *verdict = keeper.Stop();
  MutexLock lock(&mutex_);
  task_stop_ = std::stop_source(std::nostopstate);
  return result;
}

void Worker::FlushLog(const dispatch::v1::Task& task, TaskReport& report) {
  while (report.HasLongLog()) {
    dispatch::v1::HeartbeatRequest request;
    request.set_worker_id(options_.worker_id);
    request.set_instance_id(instance_id_);
    request.set_job(task.job());
    request.set_lease_token(task.lease_token());
    report.Fill(&request);
    if (!client_.Heartbeat(request).ok()) return;
    report.Confirm();
  }
}

absl::string_view Worker::Deliver(dispatch::v1::CompleteTaskRequest request,
                                  const TraceContext& trace) {
  Backoff backoff(options_.backoff, random_);
  bool told = false;
  while (true) {
    absl::Duration left;
    {
      MutexLock lock(&mutex_);
      left = drain_deadline_ - options_.clock->Now();
    }
    if (left <= absl::ZeroDuration()) {
      LogWarning(
          "outcome_not_delivered",
          {{"next", "the coordinator gives the job to another worker when the lease expires"}});
      return "lost";
    }
    const absl::Status status =
        client_.CompleteTask(request, std::min(left, kCompleteTimeout), trace.ToTraceparent());
    metrics_.SetConnected(status.ok());
    if (status.ok()) return OutcomeLabel(request);
    if (absl::IsAborted(status)) {
      LogWarning("task_lost", {{"error", status}});
      return "lost";
    }
    if (!IsTransient(status)) {
      LogError("outcome_refused", {{"error", status}});
      if (!request.has_succeeded()) return "lost";
      *request.mutable_failed()->mutable_error() = MakeJobError(absl::InternalError(
          absl::StrCat("the coordinator refused the result: ", status.ToString())));
      continue;
    }
    if (!told) {  // once for an outage, not for every try
      told = true;
      LogWarning("outcome_waits", {{"error", status}, {"next", "trying again"}});
    }
    Pause(backoff.Next());
  }
}

bool Worker::draining() const {
  MutexLock lock(&mutex_);
  return draining_;
}

void Worker::Pause(absl::Duration duration) {
  const Stopwatch waited;
  MutexLock lock(&mutex_);
  const bool draining_before = draining_;
  while (draining_ == draining_before) {
    const absl::Duration left = duration - absl::Seconds(waited.Seconds());
    if (left <= absl::ZeroDuration()) return;
    changed_.WaitFor(&mutex_, left);
  }
}

}  // namespace sasq
