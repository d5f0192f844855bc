#include "server/attempt.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/gates/gates.h"
#include "server/names.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr size_t kMaxErrorMessageBytes = 4096;

// At most `max_bytes` of UTF-8, cut between code points.
std::string Shortened(const std::string& text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

std::string AttemptText(const v1::Job& job) {
  return absl::StrCat("attempt ", job.attempt_count(), " of ", job.spec().max_attempts());
}

bool HasAttemptsLeft(const v1::Job& job) { return job.attempt_count() < job.spec().max_attempts(); }

// Rows are told apart by name; a later measurement replaces an earlier one.
bool MergeRow(const v1::ReportRow& row, v1::Job& job) {
  for (v1::ReportRow& known : *job.mutable_rows()) {
    if (known.name() != row.name()) continue;
    if (google::protobuf::util::MessageDifferencer::Equals(known, row)) return false;
    known = row;
    return true;
  }
  *job.add_rows() = row;
  return true;
}

bool MergeProgress(const v1::Progress& progress, v1::Job& job) {
  v1::Progress taken = progress;
  const double fraction = taken.fraction();
  taken.set_fraction(fraction >= 0 ? std::min(fraction, 1.0) : 0);  // NaN becomes 0
  if (job.has_progress() &&
      google::protobuf::util::MessageDifferencer::Equals(job.progress(), taken)) {
    return false;
  }
  *job.mutable_progress() = taken;
  return true;
}

// Another attempt, or FAILED with `error`.
absl::Status RetryOrFail(bool retryable, const v1::JobError& error, absl::string_view cause,
                         absl::Time now, JobChange& change) {
  v1::Job& job = change.record.job;
  const bool again = retryable && HasAttemptsLeft(job);
  const std::string what = absl::StrCat(AttemptText(job), " ended: ", cause);
  SASQ_RETURN_IF_ERROR(ApplyEvent(again ? JobEvent::kAttemptLost : JobEvent::kFailed, now, change));
  if (job.state() == v1::JOB_STATE_FAILED) *job.mutable_error() = error;
  std::string pause_text;
  const absl::Duration pause = RetryPause(job.spec().retry(), job.attempt_count());
  if (job.state() == v1::JOB_STATE_QUEUED && pause > absl::ZeroDuration()) {
    SetTimestamp(now + pause, job.mutable_ready_time());
    pause_text = absl::StrCat(" after a pause of ", absl::FormatDuration(pause));
  }
  AppendEventToLog(absl::StrCat(what, "; the job is ", JobStateName(job.state()), pause_text), now,
                   change);
  return absl::OkStatus();
}

}  // namespace

bool IsRetryable(v1::JobFailureReason reason) {
  switch (reason) {
    case v1::JOB_FAILURE_REASON_INVALID_MODEL:
    case v1::JOB_FAILURE_REASON_UNSUPPORTED_MODEL:
    case v1::JOB_FAILURE_REASON_INVALID_TEXT:
    case v1::JOB_FAILURE_REASON_INVALID_SPEC:
    case v1::JOB_FAILURE_REASON_DIVERGED:
    case v1::JOB_FAILURE_REASON_WORKER_LOST:
    case v1::JOB_FAILURE_REASON_QUALITY_GATE:
      return false;
    default:
      return true;
  }
}

absl::Duration RetryPause(const v1::RetryPolicy& policy, int attempt_count) {
  const absl::Duration longest = ToDuration(policy.max_backoff());
  absl::Duration pause = ToDuration(policy.initial_backoff());
  for (int i = 1; i < attempt_count && pause < longest; ++i) pause *= 2;
  return std::min(pause, longest);
}

absl::Status BeginAttempt(const LeaseTerms& terms, absl::Time now, JobChange& change) {
  SASQ_RETURN_IF_ERROR(ApplyEvent(JobEvent::kLeased, now, change));
  JobRecord& record = change.record;
  record.lease_token = terms.token;
  record.lease_instance = terms.instance_id;
  if (record.job.spec().has_attempt_timeout()) {
    record.attempt_expire_time = now + ToDuration(record.job.spec().attempt_timeout());
  }
  RenewLease(terms.expire_time, record);
  record.job.set_worker(terms.worker_id);
  record.job.set_attempt_count(record.job.attempt_count() + 1);
  if (!record.job.has_start_time()) SetTimestamp(now, record.job.mutable_start_time());
  AppendEventToLog(absl::StrCat(AttemptText(record.job), " began on worker ", terms.worker_id), now,
                   change);
  return absl::OkStatus();
}

void RenewLease(absl::Time expire_time, JobRecord& record) {
  if (record.job.state() == v1::JOB_STATE_CANCELLING) return;
  record.lease_expire_time = std::min(expire_time, record.attempt_expire_time);
}

void ApplyHeartbeat(const dispatch::v1::HeartbeatRequest& request, absl::Time expire_time,
                    JobChange& change) {
  JobRecord& record = change.record;
  RenewLease(expire_time, record);
  record.lease_confirmed = true;
  bool seen = request.has_progress() && MergeProgress(request.progress(), record.job);
  for (const v1::ReportRow& row : request.rows()) seen |= MergeRow(row, record.job);
  if (seen) CountChange(record);
  AppendToLog(request.log_data(), change);
  if (!request.checkpoint().empty()) change.checkpoint = request.checkpoint();
  if (!request.best_scales().empty()) change.best_scales = request.best_scales();
  if (!request.content_key().empty()) change.content_keys.push_back(request.content_key());
}

absl::Status ApplyLoss(absl::string_view cause, absl::Time now, JobChange& change) {
  const v1::Job& job = change.record.job;
  v1::JobError error;
  error.set_reason(v1::JOB_FAILURE_REASON_WORKER_LOST);
  error.set_message(absl::StrCat("all ", job.spec().max_attempts(),
                                 " attempts lost their worker, the last one ", job.worker(), ": ",
                                 cause, "; look at the workers' logs and memory"));
  return RetryOrFail(true, error, absl::StrCat("worker ", job.worker(), " ", cause), now, change);
}

absl::Status ApplyFailure(const v1::JobError& error, const FailedDevice& device, absl::Time now,
                          JobChange& change) {
  v1::JobError taken = error;
  // That a gate failed is for the coordinator to say, of rows that it has.
  if (!v1::JobFailureReason_IsValid(error.reason()) ||
      error.reason() == v1::JOB_FAILURE_REASON_UNSPECIFIED ||
      error.reason() == v1::JOB_FAILURE_REASON_QUALITY_GATE) {
    taken.set_reason(v1::JOB_FAILURE_REASON_INTERNAL);
  }
  taken.set_message(Shortened(error.message(), kMaxErrorMessageBytes));
  bool retryable = IsRetryable(taken.reason());
  if (taken.reason() == v1::JOB_FAILURE_REASON_OUT_OF_MEMORY) {
    change.record.device_kinds &= ~device.device_kind;
    retryable = (change.record.device_kinds & device.connected_kinds) != 0;
  }
  return RetryOrFail(retryable, taken,
                     absl::StrCat(v1::JobFailureReason_Name(taken.reason()), ": ", taken.message()),
                     now, change);
}

absl::Status ApplyHandBack(const std::string& checkpoint, absl::Time now, JobChange& change) {
  v1::Job& job = change.record.job;
  const std::string what =
      absl::StrCat(AttemptText(job), " was given back by worker ", job.worker());
  if (!checkpoint.empty()) change.checkpoint = checkpoint;
  SASQ_RETURN_IF_ERROR(ApplyEvent(JobEvent::kAttemptLost, now, change));
  job.set_attempt_count(job.attempt_count() - 1);
  AppendEventToLog(absl::StrCat(what, "; the job is ", JobStateName(job.state())), now, change);
  return absl::OkStatus();
}

absl::Status ApplyCancelConfirmed(absl::Time now, JobChange& change) {
  SASQ_RETURN_IF_ERROR(ApplyEvent(JobEvent::kCancelConfirmed, now, change));
  AppendEventToLog("cancelled", now, change);
  return absl::OkStatus();
}

absl::Status ApplyResult(const google::protobuf::RepeatedPtrField<v1::ReportRow>& rows,
                         const google::protobuf::RepeatedPtrField<v1::Blob>& blobs, absl::Time now,
                         JobChange& change) {
  v1::Job& job = change.record.job;
  const std::vector<v1::GateResult> gates =
      EvaluateGates(job.spec(), job.spec().gates(), job.spec().recipe().name(), rows);
  const std::string failure = GateFailure(gates);
  SASQ_RETURN_IF_ERROR(
      ApplyEvent(failure.empty() ? JobEvent::kSucceeded : JobEvent::kFailed, now, change));
  if (job.state() == v1::JOB_STATE_CANCELLED) {
    AppendEventToLog("cancelled; the result that came meanwhile is dropped", now, change);
    return absl::OkStatus();
  }
  *job.mutable_rows() = rows;
  job.mutable_gate_results()->Assign(gates.begin(), gates.end());
  job.set_artifact(ArtifactName(JobId(job)));
  job.mutable_progress()->set_fraction(1);
  job.mutable_progress()->clear_remaining();
  v1::Artifact& artifact = change.artifact.emplace();
  artifact.set_name(job.artifact());
  artifact.set_job(job.name());
  SetTimestamp(now, artifact.mutable_create_time());
  *artifact.mutable_blobs() = blobs;
  artifact.set_rejected(!failure.empty());
  *artifact.mutable_gate_results() = job.gate_results();
  if (failure.empty()) {
    AppendEventToLog("the job succeeded", now, change);
    return absl::OkStatus();
  }
  job.mutable_error()->set_reason(v1::JOB_FAILURE_REASON_QUALITY_GATE);
  job.mutable_error()->set_message(Shortened(failure, kMaxErrorMessageBytes));
  AppendEventToLog(absl::StrCat(failure, "; the job failed, and its artifact is rejected"), now,
                   change);
  return absl::OkStatus();
}

absl::Status ApplyReuse(const v1::Job& earlier,
                        const google::protobuf::RepeatedPtrField<v1::Blob>& blobs, absl::Time now,
                        JobChange& change) {
  v1::Job& job = change.record.job;
  const std::string origin = earlier.reused_from().empty() ? earlier.name() : earlier.reused_from();
  AppendEventToLog(absl::StrCat(origin, " did the same; its result is taken"), now, change);
  job.set_reused_from(origin);
  return ApplyResult(earlier.rows(), blobs, now, change);
}

absl::Status ApplyCancelRequest(absl::Duration grace, absl::Time now, JobChange& change) {
  const v1::JobState before = change.record.job.state();
  SASQ_RETURN_IF_ERROR(ApplyEvent(JobEvent::kCancelRequested, now, change));
  if (change.record.job.state() == before) return absl::OkStatus();
  AppendEventToLog("cancel requested", now, change);
  if (!IsLeasedState(change.record.job.state())) return absl::OkStatus();
  change.record.lease_expire_time = std::min(change.record.lease_expire_time, now + grace);
  return absl::OkStatus();
}

}  // namespace sasq
