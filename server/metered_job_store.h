// Any JobStore with its operations timed and its errors counted.
#ifndef SASQ_SERVER_METERED_JOB_STORE_H_
#define SASQ_SERVER_METERED_JOB_STORE_H_

#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "server/job_store.h"
#include "server/server_metrics.h"

namespace sasq {

// Thread-safe. `inner` and `metrics` outlive this.
class MeteredJobStore final : public JobStore {
 public:
  MeteredJobStore(JobStore& inner, ServerMetrics& metrics) : inner_(inner), metrics_(metrics) {}

  absl::StatusOr<JobRecord> Insert(const JobChange& added, int64_t max_queued) override {
    return Meter("insert", [&] { return inner_.Insert(added, max_queued); });
  }
  absl::StatusOr<JobRecord> Get(absl::string_view id) override {
    return Meter("get", [&] { return inner_.Get(id); });
  }
  absl::StatusOr<std::vector<JobRecord>> List(const JobFilter& filter, int64_t before_position,
                                              int limit) override {
    return Meter("list", [&] { return inner_.List(filter, before_position, limit); });
  }
  absl::StatusOr<JobRecord> Update(absl::string_view id, Change change) override {
    return Meter("update", [&] { return inner_.Update(id, change); });
  }
  absl::StatusOr<std::optional<LeasedJob>> LeaseNext(const LeaseOffer& offer,
                                                     Change change) override {
    return Meter("lease_next", [&] { return inner_.LeaseNext(offer, change); });
  }
  absl::StatusOr<std::optional<LeasedJob>> FindLease(absl::string_view worker_id,
                                                     absl::string_view instance_id) override {
    return Meter("find_lease", [&] { return inner_.FindLease(worker_id, instance_id); });
  }
  absl::StatusOr<std::vector<std::string>> ExpiredLeases(absl::Time now, int limit) override {
    return Meter("expired_leases", [&] { return inner_.ExpiredLeases(now, limit); });
  }
  absl::StatusOr<LogChunk> ReadLog(absl::string_view id, int64_t offset,
                                   int64_t max_bytes) override {
    return Meter("read_log", [&] { return inner_.ReadLog(id, offset, max_bytes); });
  }
  absl::StatusOr<v1::Artifact> GetArtifact(absl::string_view id) override {
    return Meter("get_artifact", [&] { return inner_.GetArtifact(id); });
  }
  absl::StatusOr<std::string> GetBestScales(absl::string_view id) override {
    return Meter("get_best_scales", [&] { return inner_.GetBestScales(id); });
  }
  absl::StatusOr<std::optional<JobRecord>> FindByContentKey(absl::string_view tenant,
                                                            absl::string_view key) override {
    return Meter("find_by_content_key", [&] { return inner_.FindByContentKey(tenant, key); });
  }
  absl::StatusOr<std::vector<std::string>> EndedBefore(v1::JobState state, absl::Time time,
                                                       int limit) override {
    return Meter("ended_before", [&] { return inner_.EndedBefore(state, time, limit); });
  }
  absl::StatusOr<std::vector<std::string>> Delete(
      absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) override {
    return Meter("delete", [&] { return inner_.Delete(id, check); });
  }
  absl::Status NoteUploads(absl::string_view tenant, const std::vector<std::string>& digests,
                           absl::Time time) override {
    return Meter("note_uploads", [&] { return inner_.NoteUploads(tenant, digests, time); });
  }
  absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) override {
    return Meter("expire_uploads", [&] { return inner_.ExpireUploads(time); });
  }
  absl::Status HoldBlobs(const std::string& holder, const std::vector<std::string>& digests,
                         absl::Time time) override {
    return Meter("hold_blobs", [&] { return inner_.HoldBlobs(holder, digests, time); });
  }
  absl::Status ReleaseBlobs(const std::string& holder) override {
    return Meter("release_blobs", [&] { return inner_.ReleaseBlobs(holder); });
  }
  absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) override {
    return Meter("is_blob_referenced", [&] { return inner_.IsBlobReferenced(sha256); });
  }
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256, const std::string& remover,
                                        absl::Time now) override {
    return Meter("begin_blob_removal",
                 [&] { return inner_.BeginBlobRemoval(sha256, remover, now); });
  }
  absl::Status EndBlobRemoval(const std::string& sha256, const std::string& remover) override {
    return Meter("end_blob_removal", [&] { return inner_.EndBlobRemoval(sha256, remover); });
  }
  absl::StatusOr<std::vector<std::string>> StaleBlobRemovals(absl::Time now) override {
    return Meter("stale_blob_removals", [&] { return inner_.StaleBlobRemovals(now); });
  }
  absl::StatusOr<std::vector<SharedWorker>> ShareWorkers(const std::vector<SharedWorker>& changed,
                                                         absl::Time oldest) override {
    return Meter("share_workers", [&] { return inner_.ShareWorkers(changed, oldest); });
  }
  absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) override {
    return Meter("is_blob_of", [&] { return inner_.IsBlobOf(tenant, sha256); });
  }
  absl::StatusOr<JobStats> Stats() override {
    return Meter("stats", [&] { return inner_.Stats(); });
  }

 private:
  template <typename Operation>
  auto Meter(const std::string& name, Operation operation) -> decltype(operation()) {
    const Stopwatch stopwatch;
    auto result = operation();
    metrics_.StoreOperation(name, absl::Seconds(stopwatch.Seconds()), StatusOf(result));
    return result;
  }
  static absl::Status StatusOf(const absl::Status& status) { return status; }
  template <typename T>
  static absl::Status StatusOf(const absl::StatusOr<T>& result) {
    return result.status();
  }

  JobStore& inner_;
  ServerMetrics& metrics_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_METERED_JOB_STORE_H_
