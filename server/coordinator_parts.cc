#include "server/coordinator_parts.h"

#include <memory>

#include "common/log.h"

namespace sasq {

v1::Job ReaderView(const CoordinatorParts& parts, const JobRecord& record) {
  v1::Job job = record.job;
  if (job.state() == v1::JOB_STATE_QUEUED) {
    job.set_waiting_reason(
        parts.workers.WaitingReason(job.spec().device_kind(), parts.clock.Now()));
  }
  return job;
}

void Announce(const CoordinatorParts& parts, const JobRecord& record) {
  const v1::Job& job = record.job;
  if (IsEndedState(job.state())) {
    parts.metrics.JobEnded(job);
    LogInfo("job_ended", {{"job", job.name()},
                          {"state", JobStateName(job.state())},
                          {"attempts", job.attempt_count()},
                          {"error", job.error().message()}});
  }
  parts.events.OnJobChanged(std::make_shared<const v1::Job>(ReaderView(parts, record)));
  if (job.state() == v1::JOB_STATE_QUEUED) parts.events.OnJobQueued();
}

}  // namespace sasq
