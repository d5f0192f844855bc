// Where jobs are kept. Every verb is one transaction that is durable when it returns OK, so that a
// store may be one file under one coordinator or a database under several.
#ifndef SASQ_SERVER_JOB_STORE_H_
#define SASQ_SERVER_JOB_STORE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sasq/v1/artifact_service.pb.h"
#include "sasq/v1/job.pb.h"
#include "server/job_record.h"
#include "server/shared_worker.h"

namespace sasq {

// A job that was leased, and where its attempt goes on from.
struct LeasedJob {
  JobRecord record;
  std::string checkpoint;  // empty: begin anew
};

// Which jobs are wanted.
struct JobFilter {
  std::vector<v1::JobState> states;   // empty: all
  std::optional<std::string> tenant;  // unset: every tenant's
};

// A worker that asks for a job.
struct LeaseOffer {
  v1::DeviceKind device_kind = v1::DEVICE_KIND_UNSPECIFIED;
  int64_t memory_bytes = 0;
  absl::Time now;                      // jobs that are not ready then are passed over
  int64_t max_running_per_tenant = 0;  // so are jobs of tenants that run as many; 0: no limit
};

// A part of a job's log.
struct LogChunk {
  std::string data;
  int64_t log_size_bytes = 0;  // of the whole log
  bool job_ended = false;      // the log does not grow any more
};

// The store at a glance.
struct JobStats {
  std::map<v1::JobState, int64_t> count_by_state;
  std::map<uint32_t, int64_t> queued_by_device_kinds;     // JobRecord::device_kinds
  absl::Time oldest_queue_time = absl::InfiniteFuture();  // infinite: nothing is queued
};

// Thread-safe. Ids are those of JobId. Errors of every verb, with their reason (rpc_status.h):
// NOT_FOUND (JOB_NOT_FOUND) where the verb names a job, UNAVAILABLE (STORE_UNAVAILABLE),
// RESOURCE_EXHAUSTED (STORAGE_FULL), DATA_LOSS (STORE_DAMAGED).
class JobStore {
 public:
  // Changes a job within a transaction. May be called again when the store retries, so it changes
  // nothing but its argument. An error rolls back and is what the verb returns.
  using Change = absl::FunctionRef<absl::Status(JobChange&)>;

  virtual ~JobStore() = default;

  // Stores a new job with its log. If its tenant has used its request id before: returns the job
  // that has it when the fingerprints are equal, ALREADY_EXISTS (REQUEST_ID_REUSED) otherwise.
  // RESOURCE_EXHAUSTED (TENANT_QUEUE_FULL) where the tenant has `max_queued` (0: no limit) QUEUED
  // jobs.
  virtual absl::StatusOr<JobRecord> Insert(const JobChange& added, int64_t max_queued) = 0;

  virtual absl::StatusOr<JobRecord> Get(absl::string_view id) = 0;

  // At most `limit` jobs, newest first, with positions below `before_position` (0: from the
  // newest).
  virtual absl::StatusOr<std::vector<JobRecord>> List(const JobFilter& filter,
                                                      int64_t before_position, int limit) = 0;

  // Reads, changes and writes one job.
  virtual absl::StatusOr<JobRecord> Update(absl::string_view id, Change change) = 0;

  // The job with the smallest LeaseRank, then position, of those that are QUEUED and that `offer`
  // suits, changed by `change`; nullopt where there is none. Two callers never get the same one.
  virtual absl::StatusOr<std::optional<LeasedJob>> LeaseNext(const LeaseOffer& offer,
                                                             Change change) = 0;

  // The job whose lease this process of this worker holds; nullopt where there is none.
  virtual absl::StatusOr<std::optional<LeasedJob>> FindLease(absl::string_view worker_id,
                                                             absl::string_view instance_id) = 0;

  // Ids of at most `limit` jobs whose lease expired at `now` or earlier, longest expired first.
  virtual absl::StatusOr<std::vector<std::string>> ExpiredLeases(absl::Time now, int limit) = 0;

  // At most `max_bytes` of a job's log from `offset` (>= 0); empty from the log's end on.
  virtual absl::StatusOr<LogChunk> ReadLog(absl::string_view id, int64_t offset,
                                           int64_t max_bytes) = 0;

  // NOT_FOUND (ARTIFACT_NOT_FOUND) where the job has none.
  virtual absl::StatusOr<v1::Artifact> GetArtifact(absl::string_view id) = 0;

  // The scale pack that the job's running training would give now; empty where there is none.
  virtual absl::StatusOr<std::string> GetBestScales(absl::string_view id) = 0;

  // The newest job of the tenant with this content key and an artifact; nullopt where there is
  // none.
  virtual absl::StatusOr<std::optional<JobRecord>> FindByContentKey(absl::string_view tenant,
                                                                    absl::string_view key) = 0;

  // Ids of at most `limit` jobs in `state`, an ended one, that ended before `time`, oldest first.
  virtual absl::StatusOr<std::vector<std::string>> EndedBefore(v1::JobState state, absl::Time time,
                                                               int limit) = 0;

  // Deletes a job with its log, checkpoint and artifact if `check` agrees. Returns the digests of
  // blobs that nothing refers to any more.
  virtual absl::StatusOr<std::vector<std::string>> Delete(
      absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) = 0;

  // Notes that a tenant has uploaded blobs, or asked for its own, at `time`: they count as referred
  // to, and as the tenant's, until ExpireUploads forgets that. UNAVAILABLE (BLOB_IN_REMOVAL), and
  // nothing is noted, while one of them is being removed.
  virtual absl::Status NoteUploads(absl::string_view tenant,
                                   const std::vector<std::string>& digests, absl::Time time) = 0;

  // Lets blobs count as referred to that `holder`, a NewUid, is about to put or to refer to: until
  // ReleaseBlobs, or until ExpireUploads where the holder died. Errors as of NoteUploads.
  virtual absl::Status HoldBlobs(const std::string& holder, const std::vector<std::string>& digests,
                                 absl::Time time) = 0;
  virtual absl::Status ReleaseBlobs(const std::string& holder) = 0;

  // Forgets uploads and holds that were noted last before `time`, and returns their digests, some
  // of them more than once.
  virtual absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) = 0;

  // Whether an artifact, the spec of a job (an `upload:` source), a noted upload or a holder refers
  // to the blob.
  virtual absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) = 0;

  // Whether one of the tenant does: an artifact or the spec of a job of the tenant, or an upload
  // that was noted for it.
  virtual absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) = 0;

  // A removal that takes longer has died, and another caller takes it over.
  static constexpr absl::Duration kBlobRemovalTimeout = absl::Minutes(10);

  // True: nothing refers to the blob, and nothing will until EndBlobRemoval, so that the caller can
  // delete it. False: something does, or another caller removes it. `remover`: a NewUid.
  virtual absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256,
                                                const std::string& remover, absl::Time now) = 0;
  virtual absl::Status EndBlobRemoval(const std::string& sha256, const std::string& remover) = 0;
  // Blobs whose removal has died.
  virtual absl::StatusOr<std::vector<std::string>> StaleBlobRemovals(absl::Time now) = 0;

  // Tells the other coordinators on this store of workers, and returns theirs; forgets those that
  // were not heard of since `oldest`. Empty where a store has one coordinator.
  virtual absl::StatusOr<std::vector<SharedWorker>> ShareWorkers(
      const std::vector<SharedWorker>& changed, absl::Time oldest) = 0;

  virtual absl::StatusOr<JobStats> Stats() = 0;
};

}  // namespace sasq

#endif  // SASQ_SERVER_JOB_STORE_H_
