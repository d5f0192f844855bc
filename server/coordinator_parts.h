// What the two halves of the coordinator share: Coordinator (users) and LeaseManager (workers).
#ifndef SASQ_SERVER_COORDINATOR_PARTS_H_
#define SASQ_SERVER_COORDINATOR_PARTS_H_

#include "common/clock.h"
#include "quant/source/allowed_roots.h"
#include "sasq/v1/job.pb.h"
#include "server/blob_keeper.h"
#include "server/job_events.h"
#include "server/job_store.h"
#include "server/server_metrics.h"
#include "server/worker_registry.h"

namespace sasq {

// Every part is thread-safe and outlives its users.
struct CoordinatorParts {
  const Clock& clock;
  JobStore& jobs;
  BlobKeeper& blobs;
  WorkerRegistry& workers;
  JobEvents& events;
  ServerMetrics& metrics;
  AllowedRoots roots = AllowedRoots();  // of `file:` sources
};

// The job as a reader sees it: with the reason why it waits.
v1::Job ReaderView(const CoordinatorParts& parts, const JobRecord& record);

// Tells everyone of a durable change: streams, waiting workers, metrics, the server's log. Once for
// each change.
void Announce(const CoordinatorParts& parts, const JobRecord& record);

}  // namespace sasq

#endif  // SASQ_SERVER_COORDINATOR_PARTS_H_
