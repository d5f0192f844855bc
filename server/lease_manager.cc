#include "server/lease_manager.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "common/trace.h"
#include "common/uid.h"
#include "server/attempt.h"
#include "server/dispatch_validation.h"
#include "server/names.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

using dispatch::v1::CompleteTaskRequest;

// Expired leases that one Tick ends.
constexpr int kMaxExpiriesPerTick = 1000;

absl::Status LeaseLost(absl::string_view job_name) {
  return WithReason(
      absl::AbortedError(
          absl::StrCat("the lease of ", job_name, " is not held any more; stop and drop the task")),
      "LEASE_LOST");
}

// The id in a job's name. A name that is none has no lease.
absl::StatusOr<std::string> LeasedJobId(absl::string_view job_name) {
  absl::StatusOr<std::string> id = ParseJobName(job_name);
  if (!id.ok()) return LeaseLost(job_name);
  return id;
}

absl::Status CheckToken(const JobRecord& record, absl::string_view token) {
  if (token.empty() || record.lease_token != token) return LeaseLost(record.job.name());
  return absl::OkStatus();
}

absl::Status ApplyOutcome(const CompleteTaskRequest& request,
                          const google::protobuf::RepeatedPtrField<v1::Blob>& blobs,
                          const FailedDevice& device, absl::Time now, JobChange& change) {
  AppendToLog(request.log_data(), change);
  switch (request.outcome_case()) {
    case CompleteTaskRequest::kSucceeded:
      return ApplyResult(request.succeeded().rows(), blobs, now, change);
    case CompleteTaskRequest::kFailed:
      return ApplyFailure(request.failed().error(), device, now, change);
    case CompleteTaskRequest::kHandedBack:
      return ApplyHandBack(request.handed_back().checkpoint(), now, change);
    case CompleteTaskRequest::kCancelled:
      if (change.record.job.state() != v1::JOB_STATE_CANCELLING) {
        return FieldViolationsStatus({{"cancelled", "is set, but nobody asked for a cancel"}},
                                     "INVALID_REQUEST");
      }
      return ApplyCancelConfirmed(now, change);
    case CompleteTaskRequest::OUTCOME_NOT_SET:
      break;
  }
  return absl::InternalError("an outcome was not checked");
}

// The artifact of a job that was to give scales holds them.
absl::Status CheckScalePack(const v1::Job& job, const CompleteTaskRequest& request) {
  constexpr absl::string_view kScalePack = "scales.safetensors";
  if (!request.has_succeeded() || job.spec().kind() == v1::JOB_KIND_COMPARE) {
    return absl::OkStatus();
  }
  for (const dispatch::v1::ArtifactFile& file : request.succeeded().files()) {
    if (file.file_name() == kScalePack) return absl::OkStatus();
  }
  return FieldViolationsStatus({{"succeeded.files", absl::StrCat("lacks ", kScalePack)}},
                               "INVALID_REQUEST");
}

}  // namespace

LeaseManager::LeaseManager(const CoordinatorParts& parts, const Options& options)
    : parts_(parts),
      options_(options),
      first_expiry_time_(parts.clock.Now() + options.lease_duration) {}

absl::StatusOr<dispatch::v1::RegisterWorkerResponse> LeaseManager::RegisterWorker(
    const dispatch::v1::RegisterWorkerRequest& request) {
  SASQ_RETURN_IF_ERROR(CheckRegisterWorker(request));
  v1::Worker worker;
  worker.set_id(request.worker_id());
  worker.set_version(request.version());
  *worker.mutable_capabilities() = request.capabilities();
  SASQ_RETURN_IF_ERROR(parts_.workers.Register(worker, request.instance_id(), parts_.clock.Now()));
  LogInfo("worker_registered", {{"worker", request.worker_id()},
                                {"instance", request.instance_id()},
                                {"device", request.capabilities().device_name()},
                                {"version", request.version()}});
  dispatch::v1::RegisterWorkerResponse response;
  SetDuration(options_.heartbeat_interval, response.mutable_heartbeat_interval());
  SetDuration(options_.lease_duration, response.mutable_lease_duration());
  return response;
}

dispatch::v1::Task LeaseManager::TaskOf(const LeasedJob& leased) const {
  dispatch::v1::Task task;
  task.set_job(leased.record.job.name());
  task.set_lease_token(leased.record.lease_token);
  task.set_attempt(leased.record.job.attempt_count());
  *task.mutable_spec() = leased.record.job.spec();
  task.set_checkpoint(leased.checkpoint);
  task.set_traceparent(leased.record.job.traceparent());
  return task;
}

absl::StatusOr<std::optional<dispatch::v1::Task>> LeaseManager::FindUndelivered(
    absl::string_view worker_id, absl::string_view instance_id) {
  SASQ_ASSIGN_OR_RETURN(std::optional<LeasedJob> held,
                        parts_.jobs.FindLease(worker_id, instance_id));
  if (!held.has_value()) return std::nullopt;
  const std::string token = held->record.lease_token;
  const absl::Time now = parts_.clock.Now();
  bool undelivered = false;
  const absl::StatusOr<JobRecord> record =
      parts_.jobs.Update(JobId(held->record.job), [&](JobChange& change) -> absl::Status {
        SASQ_RETURN_IF_ERROR(CheckToken(change.record, token));
        undelivered =
            !change.record.lease_confirmed && change.record.job.state() == v1::JOB_STATE_RUNNING;
        if (!undelivered) return ApplyLoss("asked for another task", now, change);
        RenewLease(now + options_.lease_duration, change.record);
        return absl::OkStatus();
      });
  if (!record.ok()) {
    // It ended meanwhile by another way.
    if (absl::IsAborted(record.status()) || absl::IsNotFound(record.status())) return std::nullopt;
    return record.status();
  }
  held->record = *record;
  if (undelivered) {
    parts_.workers.SetJob(worker_id, record->job.name());
    return TaskOf(*held);
  }
  parts_.workers.ClearJob(worker_id, record->job.name());
  Announce(parts_, *record);
  parts_.events.OnJobLogGrew(record->job.name());
  return std::nullopt;
}

absl::StatusOr<std::optional<dispatch::v1::Task>> LeaseManager::LeaseNext(
    absl::string_view worker_id, absl::string_view instance_id) {
  const absl::Time now = parts_.clock.Now();
  SASQ_ASSIGN_OR_RETURN(const v1::WorkerCapabilities capabilities,
                        parts_.workers.Touch(worker_id, instance_id, now));
  const LeaseOffer offer = {capabilities.device_kind(), capabilities.memory_bytes(), now,
                            parts_.limits.max_running_per_tenant};
  const LeaseTerms terms = {std::string(worker_id), std::string(instance_id), NewUid(),
                            now + options_.lease_duration};
  SASQ_ASSIGN_OR_RETURN(const std::optional<LeasedJob> leased,
                        parts_.jobs.LeaseNext(offer, [&](JobChange& change) {
                          return BeginAttempt(terms, now, change);
                        }));
  if (!leased.has_value()) return std::nullopt;
  const v1::Job& job = leased->record.job;
  parts_.workers.SetJob(worker_id, job.name());
  parts_.metrics.AttemptBegan(now - leased->record.queue_time);
  LogInfo("job_leased", {{"job", job.name()},
                         {"worker", worker_id},
                         {"attempt", job.attempt_count()},
                         {"trace", TraceIdOf(job.traceparent())}});
  TraceWait(leased->record);
  Announce(parts_, leased->record);
  parts_.events.OnJobLogGrew(job.name());
  return TaskOf(*leased);
}

void LeaseManager::TraceWait(const JobRecord& leased) const {
  const std::optional<TraceContext> trace = ParseTraceparent(leased.job.traceparent());
  if (!trace.has_value()) return;
  parts_.tracer.StartAt(leased.queue_time, "queued", SpanKind::kInternal, trace,
                        {{"sasq.job", leased.job.name()},
                         {"sasq.attempt", absl::StrCat(leased.job.attempt_count())}});
}

absl::Status LeaseManager::EndAttempt(absl::string_view job_id, absl::string_view token,
                                      JobStore::Change end) {
  std::string worker_id;
  bool repeat = false;
  const absl::StatusOr<JobRecord> record =
      parts_.jobs.Update(job_id, [&](JobChange& change) -> absl::Status {
        repeat = !token.empty() && change.record.completed_token == token;
        SASQ_RETURN_IF_ERROR(CheckToken(change.record, token));
        worker_id = change.record.job.worker();
        change.record.completed_token = std::string(token);
        return end(change);
      });
  if (repeat) return absl::OkStatus();
  if (absl::IsNotFound(record.status())) return LeaseLost(JobName(job_id));
  SASQ_RETURN_IF_ERROR(record.status());
  parts_.workers.ClearJob(worker_id, record->job.name());
  Announce(parts_, *record);
  parts_.events.OnJobLogGrew(record->job.name());
  return absl::OkStatus();
}

void LeaseManager::TakeBack(const dispatch::v1::Task& task) {
  const absl::StatusOr<std::string> id = LeasedJobId(task.job());
  if (!id.ok()) return;
  const absl::Status status = EndAttempt(*id, task.lease_token(), [this](JobChange& change) {
    return ApplyHandBack("", parts_.clock.Now(), change);
  });
  // If it stays leased, the lease expires.
  if (!status.ok()) LogWarning("task_not_taken_back", {{"job", task.job()}, {"error", status}});
}

absl::StatusOr<std::optional<EarlierResult>> LeaseManager::FindSameJob(
    const dispatch::v1::HeartbeatRequest& request, absl::string_view id) {
  if (request.content_key().empty()) return std::nullopt;
  const absl::StatusOr<JobRecord> record = parts_.jobs.Get(id);
  if (!record.ok() || record->job.spec().no_cache()) return std::nullopt;
  return FindEarlierResult(parts_, record->job.tenant(), request.content_key());
}

absl::StatusOr<dispatch::v1::HeartbeatResponse> LeaseManager::Heartbeat(
    const dispatch::v1::HeartbeatRequest& request) {
  const absl::Time now = parts_.clock.Now();
  SASQ_RETURN_IF_ERROR(
      parts_.workers.Touch(request.worker_id(), request.instance_id(), now).status());
  SASQ_RETURN_IF_ERROR(CheckHeartbeat(request));
  SASQ_ASSIGN_OR_RETURN(const std::string id, LeasedJobId(request.job()));
  SASQ_ASSIGN_OR_RETURN(const std::optional<EarlierResult> earlier, FindSameJob(request, id));
  int64_t sequence_before = 0;
  int64_t log_size_before = 0;
  const absl::StatusOr<JobRecord> record =
      parts_.jobs.Update(id, [&](JobChange& change) -> absl::Status {
        SASQ_RETURN_IF_ERROR(CheckToken(change.record, request.lease_token()));
        sequence_before = change.record.job.sequence();
        log_size_before = change.record.log_size_bytes;
        ApplyHeartbeat(request, now + options_.lease_duration, change);
        if (!earlier.has_value() || change.record.job.state() != v1::JOB_STATE_RUNNING) {
          return absl::OkStatus();
        }
        return ApplyReuse(earlier->job, earlier->artifact.blobs(), now, change);
      });
  if (!record.ok()) {
    const bool lost = absl::IsAborted(record.status()) || absl::IsNotFound(record.status());
    if (lost) parts_.workers.ClearJob(request.worker_id(), request.job());
    return lost ? LeaseLost(request.job()) : record.status();
  }
  const v1::JobState state = record->job.state();
  if (IsLeasedState(state)) {
    parts_.workers.SetJob(request.worker_id(), request.job());
  } else {
    parts_.metrics.ResultReused();
    parts_.workers.ClearJob(request.worker_id(), request.job());
  }
  if (record->job.sequence() != sequence_before) Announce(parts_, *record);
  if (record->log_size_bytes != log_size_before) parts_.events.OnJobLogGrew(request.job());
  dispatch::v1::HeartbeatResponse response;
  response.set_directive(state == v1::JOB_STATE_CANCELLING ? dispatch::v1::DIRECTIVE_CANCEL
                         : IsLeasedState(state)            ? dispatch::v1::DIRECTIVE_CONTINUE
                                                           : dispatch::v1::DIRECTIVE_DROP);
  return response;
}

absl::Status LeaseManager::CompleteTask(const CompleteTaskRequest& request) {
  SASQ_RETURN_IF_ERROR(CheckCompleteTask(request));
  SASQ_ASSIGN_OR_RETURN(const std::string id, LeasedJobId(request.job()));
  const absl::StatusOr<JobRecord> before = parts_.jobs.Get(id);
  if (absl::IsNotFound(before.status())) return LeaseLost(request.job());
  SASQ_RETURN_IF_ERROR(before.status());
  const bool repeat =
      !request.lease_token().empty() && before->completed_token == request.lease_token();
  if (repeat) return absl::OkStatus();
  SASQ_RETURN_IF_ERROR(CheckToken(*before, request.lease_token()));
  SASQ_RETURN_IF_ERROR(CheckScalePack(before->job, request));
  absl::Status status = Publish(request, id);
  if (status.ok() && request.has_handed_back()) {
    parts_.workers.ClearJob(before->job.worker(), request.job(), /*draining=*/true);
  }
  return status;
}

absl::Status LeaseManager::Publish(const CompleteTaskRequest& request, absl::string_view job_id) {
  std::vector<const dispatch::v1::ArtifactFile*> files;
  for (const dispatch::v1::ArtifactFile& file : request.succeeded().files()) {
    files.push_back(&file);
  }
  // Blobs first, then the reference to them, so that an artifact never lacks one.
  BlobKeeper::Held held;
  absl::Status status = parts_.blobs.Put(files, held);
  if (status.ok()) {
    const google::protobuf::RepeatedPtrField<v1::Blob> blobs(held.blobs.begin(), held.blobs.end());
    const absl::Time now = parts_.clock.Now();
    status = EndAttempt(job_id, request.lease_token(), [&](JobChange& change) {
      const FailedDevice device = {parts_.workers.DeviceKindOf(change.record.job.worker()),
                                   parts_.workers.ConnectedKinds(now)};
      return ApplyOutcome(request, blobs, device, now, change);
    });
  }
  parts_.blobs.Release(held);
  return status;
}

absl::Status LeaseManager::ExpireLeases(absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> expired,
                        parts_.jobs.ExpiredLeases(now, kMaxExpiriesPerTick));
  for (const std::string& id : expired) {
    std::string worker_id;
    const absl::StatusOr<JobRecord> record =
        parts_.jobs.Update(id, [&](JobChange& change) -> absl::Status {
          const JobRecord& before = change.record;
          const bool is_cancelling = before.job.state() == v1::JOB_STATE_CANCELLING;
          const bool took_too_long = before.attempt_expire_time <= now;
          const bool may_end = now >= first_expiry_time_ || is_cancelling || took_too_long;
          if (before.lease_expire_time > now || !may_end) {
            return absl::CancelledError("renewed meanwhile, or to be renewed");
          }
          worker_id = before.job.worker();
          return ApplyLoss(took_too_long   ? "took longer than attempt_timeout"
                           : is_cancelling ? "did not confirm the cancel in time"
                                           : "was not heard of and lost its lease",
                           now, change);
        });
    if (absl::IsCancelled(record.status()) || absl::IsNotFound(record.status())) continue;
    if (absl::IsFailedPrecondition(record.status())) {  // one job must not stop the others
      LogError("lease_not_expired", {{"job", JobName(id)}, {"error", record.status()}});
      continue;
    }
    SASQ_RETURN_IF_ERROR(record.status());
    parts_.metrics.LeaseExpired();
    parts_.workers.ClearJob(worker_id, record->job.name());
    LogWarning("lease_expired", {{"job", record->job.name()},
                                 {"attempt", record->job.attempt_count()},
                                 {"worker", worker_id},
                                 {"trace", TraceIdOf(record->job.traceparent())}});
    Announce(parts_, *record);
    parts_.events.OnJobLogGrew(record->job.name());
  }
  return absl::OkStatus();
}

absl::Status LeaseManager::ShareWorkers(absl::Time now) {
  const absl::StatusOr<std::vector<SharedWorker>> others =
      parts_.jobs.ShareWorkers(parts_.workers.TakeChanges(now), parts_.workers.OldestKept(now));
  if (!others.ok()) {
    parts_.workers.ShareAgain();
    return others.status();
  }
  parts_.workers.SetOthers(*others);
  return absl::OkStatus();
}

absl::Status LeaseManager::Tick(absl::Time now) {
  parts_.workers.ForgetLost(now);
  SASQ_RETURN_IF_ERROR(ShareWorkers(now));
  const std::vector<v1::Worker> workers = parts_.workers.List(now);
  parts_.metrics.SetWorkers(workers, now);
  parts_.metrics.SetBlobBytes(parts_.blobs.size_bytes());
  SASQ_RETURN_IF_ERROR(ExpireLeases(now));
  SASQ_ASSIGN_OR_RETURN(const JobStats stats, parts_.jobs.Stats());
  parts_.metrics.SetJobs(stats, now);
  parts_.metrics.SetQueue(stats, workers);
  // A pause may be over, or a tenant below its limit again.
  if (stats.count_by_state.count(v1::JOB_STATE_QUEUED) > 0) parts_.events.OnJobQueued();
  return absl::OkStatus();
}

}  // namespace sasq
