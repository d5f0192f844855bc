#include "server/coordinator_parts.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/log.h"
#include "common/status_macros.h"

namespace sasq {

v1::Job ReaderView(const CoordinatorParts& parts, const JobRecord& record) {
  v1::Job job = record.job;
  if (job.state() == v1::JOB_STATE_QUEUED) {
    const absl::Time now = parts.clock.Now();
    job.set_waiting_reason(
        ReadyTime(job) > now
            ? "it pauses after an attempt that failed"
            : parts.workers.WaitingReason(
                  {record.device_kinds, job.spec().min_worker_memory_bytes()}, now));
  }
  return job;
}

absl::StatusOr<std::optional<EarlierResult>> FindEarlierResult(const CoordinatorParts& parts,
                                                               absl::string_view tenant,
                                                               absl::string_view content_key) {
  SASQ_ASSIGN_OR_RETURN(const std::optional<JobRecord> earlier,
                        parts.jobs.FindByContentKey(tenant, content_key));
  if (!earlier.has_value()) return std::nullopt;
  absl::StatusOr<v1::Artifact> artifact = parts.jobs.GetArtifact(JobId(earlier->job));
  if (absl::IsNotFound(artifact.status())) return std::nullopt;  // deleted meanwhile
  SASQ_RETURN_IF_ERROR(artifact.status());
  std::vector<std::string> digests;
  for (const v1::Blob& blob : artifact->blobs()) digests.push_back(blob.sha256());
  const Principal owner{"", std::string(tenant), server::v1::ROLE_SUBMITTER};
  SASQ_ASSIGN_OR_RETURN(const std::vector<v1::MissingBlob> missing,
                        parts.blobs.FindMissing(owner, digests, parts.clock.Now()));
  if (!missing.empty()) return std::nullopt;
  return EarlierResult{earlier->job, *std::move(artifact)};
}

void Announce(const CoordinatorParts& parts, const JobRecord& record) {
  const v1::Job& job = record.job;
  if (IsEndedState(job.state())) {
    parts.metrics.JobEnded(job);
    LogInfo("job_ended", {{"job", job.name()},
                          {"state", JobStateName(job.state())},
                          {"attempt", job.attempt_count()},
                          {"error", job.error().message()},
                          {"trace", TraceIdOf(job.traceparent())}});
  }
  parts.events.OnJobChanged(std::make_shared<const v1::Job>(ReaderView(parts, record)));
  if (job.state() == v1::JOB_STATE_QUEUED) parts.events.OnJobQueued();
}

}  // namespace sasq
