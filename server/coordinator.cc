#include "server/coordinator.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "common/trace.h"
#include "common/uid.h"
#include "quant/reuse/content_key.h"
#include "server/access/token.h"
#include "server/attempt.h"
#include "server/names.h"
#include "server/not_found.h"
#include "server/plan.h"
#include "server/spec_uploads.h"
#include "server/spec_validation.h"
#include "server/text_rules.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr size_t kMaxRequestIdBytes = 128;
constexpr int kDefaultPageSize = 50;
constexpr int kMaxPageSize = 1000;
// A page stays well under the 4 MiB that clients take by default.
constexpr size_t kMaxPageBytes = 2 << 20;
constexpr int kMaxDigests = 4096;
constexpr char kWantedDigest[] = "is not 64 lower-case hexadecimal digits";

absl::Status CheckRequestId(const std::string& request_id) {
  if (request_id.size() > kMaxRequestIdBytes) {
    return FieldViolationsStatus(
        {{"request_id",
          absl::StrCat("has ", request_id.size(), " bytes, want at most ", kMaxRequestIdBytes)}},
        "INVALID_REQUEST");
  }
  if (!IsPlainText(request_id)) {
    return FieldViolationsStatus({{"request_id", "holds control characters, want plain text"}},
                                 "INVALID_REQUEST");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::JobState>> CheckListRequest(const v1::ListJobsRequest& request) {
  std::vector<FieldViolation> violations;
  if (request.page_size() < 0) {
    violations.push_back(
        {"page_size", absl::StrCat("is ", request.page_size(), ", want 0..", kMaxPageSize)});
  }
  std::vector<v1::JobState> states;
  for (int i = 0; i < request.states_size(); ++i) {
    const v1::JobState state = request.states(i);
    if (!v1::JobState_IsValid(state) || state == v1::JOB_STATE_UNSPECIFIED) {
      violations.push_back({absl::StrCat("states[", i, "]"),
                            absl::StrCat("is ", static_cast<int>(state), ", which is no state")});
    }
    states.push_back(state);
  }
  SASQ_RETURN_IF_ERROR(FieldViolationsStatus(violations, "INVALID_REQUEST"));
  return states;
}

absl::Status CheckCancellable(const v1::Job& job) {
  if (NextJobState(job.state(), JobEvent::kCancelRequested).has_value()) return absl::OkStatus();
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat(job.name(), " has ", JobStateName(job.state()),
                                                 " already; there is nothing to cancel")),
      "JOB_ENDED");
}

// A job of another tenant is not there.
absl::Status CheckVisible(const Principal& who, const v1::Job& job) {
  return who.Sees(job.tenant()) ? absl::OkStatus() : JobNotFoundStatus(JobId(job));
}

bool HasInput(const v1::JobSpec& spec, const std::string& sha256) {
  const std::vector<const v1::UploadedFile*> files = UploadsOf(spec);
  return std::any_of(files.begin(), files.end(),
                     [&sha256](const v1::UploadedFile* file) { return file->sha256() == sha256; });
}

}  // namespace

absl::StatusOr<JobRecord> Coordinator::GetVisible(const Principal& who, absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(JobRecord record, parts_.jobs.Get(id));
  SASQ_RETURN_IF_ERROR(CheckVisible(who, record.job));
  return record;
}

absl::StatusOr<v1::SubmitJobResponse> Coordinator::SubmitJob(const Principal& who,
                                                             const v1::SubmitJobRequest& request,
                                                             absl::string_view traceparent) {
  SASQ_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  SASQ_ASSIGN_OR_RETURN(v1::JobSpec spec, CompleteSpec(request.spec()));
  SASQ_RETURN_IF_ERROR(FieldViolationsStatus(sources_.Check(spec), "INVALID_SPEC"));
  BlobKeeper::Held uploads;
  absl::StatusOr<v1::SubmitJobResponse> response =
      SubmitHeld(who, request, traceparent, std::move(spec), uploads);
  parts_.blobs.Release(uploads);
  return response;
}

absl::StatusOr<v1::SubmitJobResponse> Coordinator::SubmitHeld(const Principal& who,
                                                              const v1::SubmitJobRequest& request,
                                                              absl::string_view traceparent,
                                                              v1::JobSpec spec,
                                                              BlobKeeper::Held& uploads) {
  // Before anything is read of them: whoever names a digest does not get the blob.
  const absl::Status held = parts_.blobs.HoldUploads(who, spec, uploads);
  const bool may_lack = request.validate_only() && ReasonOf(held) == "BLOB_MISSING";
  if (!may_lack) SASQ_RETURN_IF_ERROR(held);
  const SpecSources without_uploads(parts_.roots, nullptr);
  const double speed = parts_.workers.BestFlopsPerSecond(spec.device_kind(), parts_.clock.Now());
  SASQ_ASSIGN_OR_RETURN(v1::Plan plan,
                        MakePlan(spec, speed, held.ok() ? sources_ : without_uploads));
  v1::SubmitJobResponse response;
  if (request.validate_only()) {
    *response.mutable_job()->mutable_spec() = std::move(spec);
    *response.mutable_plan() = std::move(plan);
    return response;
  }
  SASQ_ASSIGN_OR_RETURN(const JobRecord record,
                        InsertJob(who, std::move(spec), request.request_id(), traceparent));
  *response.mutable_job() = ReaderView(parts_, record);
  return response;
}

absl::StatusOr<JobRecord> Coordinator::InsertJob(const Principal& who, v1::JobSpec spec,
                                                 const std::string& request_id,
                                                 absl::string_view traceparent) {
  const absl::Time now = parts_.clock.Now();
  JobChange added;
  added.record.request_id = request_id;
  added.record.spec_fingerprint = SpecFingerprint(spec);
  added.record.queue_time = now;
  added.record.device_kinds = DeviceKindBits(spec.device_kind());
  v1::Job& job = added.record.job;
  job.set_name(JobName(NewUid()));
  *job.mutable_spec() = std::move(spec);
  job.set_tenant(who.tenant);
  job.set_traceparent(std::string(traceparent));
  job.set_state(v1::JOB_STATE_QUEUED);
  job.set_sequence(1);
  SetTimestamp(now, job.mutable_create_time());
  AppendEventToLog("job accepted", now, added);
  SASQ_RETURN_IF_ERROR(ReuseResult(added));
  SASQ_ASSIGN_OR_RETURN(JobRecord record,
                        parts_.jobs.Insert(added, parts_.limits.max_queued_per_tenant));
  if (record.job.name() != job.name()) return record;  // a repeat of an earlier call
  parts_.metrics.JobSubmitted();
  if (!record.job.reused_from().empty()) parts_.metrics.ResultReused();
  LogInfo("job_accepted", {{"job", job.name()},
                           {"model", job.spec().model().uri()},
                           {"trace", TraceIdOf(traceparent)}});
  Announce(parts_, record);
  return record;
}

absl::Status Coordinator::ReuseResult(JobChange& added) {
  const v1::JobSpec& spec = added.record.job.spec();
  const std::optional<std::vector<ContentInput>> inputs = InputsByDigest(spec);
  if (!inputs.has_value()) return absl::OkStatus();
  const std::string key = ContentKey(spec, *inputs, Version());
  added.content_keys.push_back(key);
  if (spec.no_cache()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const std::optional<EarlierResult> earlier,
                        FindEarlierResult(parts_, added.record.job.tenant(), key));
  if (!earlier.has_value()) return absl::OkStatus();
  return ApplyReuse(earlier->job, earlier->artifact.blobs(), parts_.clock.Now(), added);
}

absl::StatusOr<v1::Job> Coordinator::GetJob(const Principal& who, absl::string_view name) {
  SASQ_ASSIGN_OR_RETURN(const std::string id, ParseJobName(name));
  SASQ_ASSIGN_OR_RETURN(const JobRecord record, GetVisible(who, id));
  return ReaderView(parts_, record);
}

absl::StatusOr<v1::ListJobsResponse> Coordinator::ListJobs(const Principal& who,
                                                           const v1::ListJobsRequest& request) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<v1::JobState> states, CheckListRequest(request));
  int64_t before_position = 0;
  if (!request.page_token().empty()) {
    SASQ_ASSIGN_OR_RETURN(before_position, ParsePageToken(request.page_token(), states));
  }
  const int page_size = request.page_size() == 0 ? kDefaultPageSize
                                                 : std::min<int>(request.page_size(), kMaxPageSize);
  const std::optional<std::string> tenant =
      who.sees_all_tenants() ? std::nullopt : std::make_optional(who.tenant);
  // One more than asked for tells whether there is a next page.
  SASQ_ASSIGN_OR_RETURN(
      const std::vector<JobRecord> records,
      parts_.jobs.List({.states = states, .tenant = tenant}, before_position, page_size + 1));
  v1::ListJobsResponse response;
  size_t page_bytes = 0;
  for (const JobRecord& record : records) {
    const bool full = response.jobs_size() == page_size ||
                      (response.jobs_size() > 0 && page_bytes > kMaxPageBytes);
    if (full) {
      response.set_next_page_token(MakePageToken(before_position, states));
      break;
    }
    v1::Job job = ReaderView(parts_, record);
    page_bytes += job.ByteSizeLong();
    before_position = record.position;
    *response.add_jobs() = std::move(job);
  }
  return response;
}

absl::StatusOr<v1::Job> Coordinator::CancelJob(const Principal& who, absl::string_view name) {
  SASQ_ASSIGN_OR_RETURN(const std::string id, ParseJobName(name));
  bool changed = false;
  SASQ_ASSIGN_OR_RETURN(
      const JobRecord record, parts_.jobs.Update(id, [&](JobChange& change) -> absl::Status {
        const v1::JobState before = change.record.job.state();
        SASQ_RETURN_IF_ERROR(CheckVisible(who, change.record.job));
        SASQ_RETURN_IF_ERROR(CheckCancellable(change.record.job));
        SASQ_RETURN_IF_ERROR(
            ApplyCancelRequest(parts_.limits.cancel_grace, parts_.clock.Now(), change));
        changed = change.record.job.state() != before;
        return absl::OkStatus();
      }));
  if (changed) {
    Announce(parts_, record);
    parts_.events.OnJobLogGrew(record.job.name());
  }
  return ReaderView(parts_, record);
}

absl::Status Coordinator::DeleteJob(const Principal& who, absl::string_view name) {
  SASQ_ASSIGN_OR_RETURN(const std::string id, ParseJobName(name));
  SASQ_RETURN_IF_ERROR(GetVisible(who, id).status());
  return RemoveJob(id);
}

absl::Status Coordinator::RemoveJob(absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> unreferenced,
                        parts_.jobs.Delete(id, [](const JobRecord& record) -> absl::Status {
                          if (IsEndedState(record.job.state())) return absl::OkStatus();
                          return WithReason(
                              absl::FailedPreconditionError(absl::StrCat(
                                  record.job.name(), " is ", JobStateName(record.job.state()),
                                  "; cancel it and wait for its end before deleting it")),
                              "JOB_NOT_ENDED");
                        }));
  LogInfo("job_deleted", {{"job", JobName(id)}});
  parts_.events.OnJobDeleted(JobName(id));
  parts_.blobs.RemoveUnreferenced(unreferenced);
  return absl::OkStatus();
}

absl::Status Coordinator::DeleteExpiredJobs(absl::Time now, int limit) {
  const std::pair<v1::JobState, absl::Duration> policies[] = {
      {v1::JOB_STATE_SUCCEEDED, parts_.limits.keep_succeeded},
      {v1::JOB_STATE_FAILED, parts_.limits.keep_failed},
      {v1::JOB_STATE_CANCELLED, parts_.limits.keep_failed},
  };
  for (const auto& [state, keep] : policies) {
    SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> expired,
                          parts_.jobs.EndedBefore(state, now - keep, limit));
    for (const std::string& id : expired) {
      const absl::Status status = RemoveJob(id);
      if (!absl::IsNotFound(status)) SASQ_RETURN_IF_ERROR(status);
    }
  }
  return absl::OkStatus();
}

v1::ListWorkersResponse Coordinator::ListWorkers(const Principal& who) {
  v1::ListWorkersResponse response;
  for (v1::Worker& worker : parts_.workers.List(parts_.clock.Now())) {
    const bool may_be_hidden = !worker.job().empty() && !who.sees_all_tenants();
    if (may_be_hidden && !GetJob(who, worker.job()).ok()) worker.clear_job();
    *response.add_workers() = std::move(worker);
  }
  return response;
}

absl::StatusOr<LogChunk> Coordinator::ReadJobLog(const Principal& who, absl::string_view name,
                                                 int64_t offset, int64_t max_bytes) {
  SASQ_ASSIGN_OR_RETURN(const std::string id, ParseJobName(name));
  if (!who.sees_all_tenants()) SASQ_RETURN_IF_ERROR(GetVisible(who, id).status());
  SASQ_ASSIGN_OR_RETURN(LogChunk chunk,
                        parts_.jobs.ReadLog(id, std::max<int64_t>(offset, 0), max_bytes));
  if (offset < 0 || offset > chunk.log_size_bytes) {
    return WithReason(
        absl::OutOfRangeError(absl::StrCat("offset is ", offset, ", want 0..", chunk.log_size_bytes,
                                           ", the log's length")),
        "OFFSET_OUT_OF_RANGE");
  }
  return chunk;
}

absl::StatusOr<v1::Artifact> Coordinator::GetArtifact(const Principal& who,
                                                      absl::string_view name) {
  SASQ_ASSIGN_OR_RETURN(const ArtifactReference reference, ParseArtifactName(name));
  const absl::StatusOr<JobRecord> record = GetVisible(who, reference.id);
  if (!reference.by_job && absl::IsNotFound(record.status())) {
    return ArtifactNotFoundStatus(reference.id);
  }
  SASQ_RETURN_IF_ERROR(record.status());
  if (reference.by_job) {
    if (record->job.artifact().empty()) {
      return WithReason(
          absl::FailedPreconditionError(absl::StrCat(
              record->job.name(), " is ", JobStateName(record->job.state()),
              "; a job has an artifact once it SUCCEEDED, or FAILED because of a quality gate")),
          "JOB_NOT_SUCCEEDED");
    }
  }
  return parts_.jobs.GetArtifact(reference.id);
}

absl::StatusOr<std::string> Coordinator::GetBestScales(const Principal& who,
                                                       absl::string_view job_name) {
  SASQ_ASSIGN_OR_RETURN(const std::string id, ParseJobName(job_name));
  SASQ_RETURN_IF_ERROR(GetVisible(who, id).status());
  SASQ_ASSIGN_OR_RETURN(std::string scales, parts_.jobs.GetBestScales(id));
  if (!scales.empty()) return scales;
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat(job_name,
                                     " has no scales in training; a job has them from its first "
                                     "checkpoint until it ends, and then an artifact")),
                    "NO_SCALES");
}

absl::StatusOr<std::unique_ptr<const BlobReader>> Coordinator::OpenBlob(
    const Principal& who, const v1::DownloadBlobRequest& request) {
  if (!IsSha256Hex(request.sha256())) {
    return FieldViolationsStatus({{"sha256", kWantedDigest}}, "INVALID_DIGEST");
  }
  SASQ_ASSIGN_OR_RETURN(const bool may_read, MayRead(who, request));
  if (!may_read) return BlobNotFoundStatus(request.sha256());
  return parts_.blobs.Open(request.sha256());
}

absl::StatusOr<bool> Coordinator::MayRead(const Principal& who,
                                          const v1::DownloadBlobRequest& request) {
  if (who.sees_all_tenants()) return true;
  if (who.role != server::v1::ROLE_WORKER) {
    return parts_.jobs.IsBlobOf(who.tenant, request.sha256());
  }
  const absl::StatusOr<std::string> id = ParseJobName(request.job());
  if (!id.ok()) return false;
  const absl::StatusOr<JobRecord> record = parts_.jobs.Get(*id);
  if (absl::IsNotFound(record.status())) return false;
  SASQ_RETURN_IF_ERROR(record.status());
  return !record->lease_token.empty() && EqualSecrets(record->lease_token, request.lease_token()) &&
         HasInput(record->job.spec(), request.sha256());
}

absl::StatusOr<v1::FindMissingBlobsResponse> Coordinator::FindMissingBlobs(
    const Principal& who, const v1::FindMissingBlobsRequest& request) {
  if (request.sha256_size() > kMaxDigests) {
    return FieldViolationsStatus({{"sha256", absl::StrCat("has ", request.sha256_size(),
                                                          " entries, want at most ", kMaxDigests)}},
                                 "INVALID_REQUEST");
  }
  std::vector<FieldViolation> violations;
  for (int i = 0; i < request.sha256_size(); ++i) {
    if (IsSha256Hex(request.sha256(i))) continue;
    violations.push_back({absl::StrCat("sha256[", i, "]"), kWantedDigest});
  }
  SASQ_RETURN_IF_ERROR(FieldViolationsStatus(violations, "INVALID_DIGEST"));
  const std::vector<std::string> digests(request.sha256().begin(), request.sha256().end());
  SASQ_ASSIGN_OR_RETURN(const std::vector<v1::MissingBlob> missing,
                        parts_.blobs.FindMissing(who, digests, parts_.clock.Now()));
  v1::FindMissingBlobsResponse response;
  response.mutable_missing()->Assign(missing.begin(), missing.end());
  return response;
}

absl::StatusOr<std::unique_ptr<BlobUpload>> Coordinator::BeginUpload(const Principal& who,
                                                                     const v1::UploadStart& start) {
  if (!IsSha256Hex(start.sha256())) {
    return FieldViolationsStatus({{"start.sha256", kWantedDigest}}, "INVALID_DIGEST");
  }
  if (start.size_bytes() < 0 || start.size_bytes() > kMaxUploadBytes) {
    return FieldViolationsStatus(
        {{"start.size_bytes",
          absl::StrCat("is ", start.size_bytes(), ", want 0..", kMaxUploadBytes)}},
        "INVALID_REQUEST");
  }
  SASQ_ASSIGN_OR_RETURN(
      std::unique_ptr<BlobUpload> upload,
      parts_.blobs.BeginUpload(who, start.sha256(), start.size_bytes(), parts_.clock.Now()));
  if (upload != nullptr && upload->size_bytes() != start.offset()) {
    return WithReason(absl::FailedPreconditionError(absl::StrCat(
                          "start.offset is ", start.offset(), ", want ", upload->size_bytes(),
                          ", which is how much is there; ask FindMissingBlobs and go on")),
                      "OFFSET_MISMATCH");
  }
  return upload;
}

absl::Status Coordinator::FinishUpload(const Principal& who, const v1::UploadStart& start,
                                       BlobUpload& upload) {
  return parts_.blobs.FinishUpload(who, start.sha256(), upload, parts_.clock.Now());
}

}  // namespace sasq
