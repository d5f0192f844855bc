// What the two halves of the coordinator share: Coordinator (users) and LeaseManager (workers).
#ifndef SASQ_SERVER_COORDINATOR_PARTS_H_
#define SASQ_SERVER_COORDINATOR_PARTS_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/trace.h"
#include "quant/source/allowed_roots.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/job.pb.h"
#include "server/blob_keeper.h"
#include "server/job_events.h"
#include "server/job_store.h"
#include "server/server_metrics.h"
#include "server/worker_registry.h"

namespace sasq {

// What the operator allows.
struct CoordinatorLimits {
  int64_t max_queued_per_tenant = 100'000;                   // QUEUED jobs; 0: no limit
  int64_t max_running_per_tenant = 0;                        // leased jobs; 0: no limit
  absl::Duration keep_succeeded = absl::InfiniteDuration();  // jobs with artifact and log
  absl::Duration keep_failed = absl::InfiniteDuration();     // also cancelled ones
  // How long the holder of a lease has to confirm a cancel: two heartbeats.
  absl::Duration cancel_grace = absl::Seconds(2);
};

// Every part is thread-safe and outlives its users.
struct CoordinatorParts {
  const Clock& clock;
  JobStore& jobs;
  BlobKeeper& blobs;
  WorkerRegistry& workers;
  JobEvents& events;
  ServerMetrics& metrics;
  AllowedRoots roots = AllowedRoots();  // of `file:` sources
  CoordinatorLimits limits = CoordinatorLimits();
  const Tracer& tracer = Tracer::Off();
};

// The job as a reader sees it: with the reason why it waits.
v1::Job ReaderView(const CoordinatorParts& parts, const JobRecord& record);

// The result of the tenant's newest job with the content key, whose blobs are there and
// stay for BlobKeeper's upload_retention.
struct EarlierResult {
  v1::Job job;
  v1::Artifact artifact;
};
absl::StatusOr<std::optional<EarlierResult>> FindEarlierResult(const CoordinatorParts& parts,
                                                               absl::string_view tenant,
                                                               absl::string_view content_key);

// Tells everyone of a durable change: streams, waiting workers, metrics, the server's log. Once for
// each change.
void Announce(const CoordinatorParts& parts, const JobRecord& record);

}  // namespace sasq

#endif  // SASQ_SERVER_COORDINATOR_PARTS_H_
