// Real stores whose operations fail as Faults says: before they took effect, or after.
#ifndef SASQ_TESTS_SERVER_SIMULATION_FAULTY_STORES_H_
#define SASQ_TESTS_SERVER_SIMULATION_FAULTY_STORES_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/blob_store.h"
#include "server/job_store.h"
#include "tests/server/simulation/faults.h"

namespace sasq::simulation {

template <typename Operation>
auto WithFaults(Faults& faults, Operation operation) -> decltype(operation()) {
  if (absl::Status status = faults.BeforeStoreOperation(); !status.ok()) return status;
  auto result = operation();
  if (absl::Status status = faults.AfterStoreOperation(); !status.ok()) return status;
  return result;
}

class FaultyJobStore final : public JobStore {
 public:
  FaultyJobStore(JobStore& inner, Faults& faults) : inner_(inner), faults_(faults) {}

  absl::StatusOr<JobRecord> Insert(const JobChange& added, int64_t max_queued) override {
    return WithFaults(faults_, [&] { return inner_.Insert(added, max_queued); });
  }
  absl::StatusOr<JobRecord> Get(absl::string_view id) override {
    return WithFaults(faults_, [&] { return inner_.Get(id); });
  }
  absl::StatusOr<std::vector<JobRecord>> List(const JobFilter& filter, int64_t before_position,
                                              int limit) override {
    return WithFaults(faults_, [&] { return inner_.List(filter, before_position, limit); });
  }
  absl::StatusOr<JobRecord> Update(absl::string_view id, Change change) override {
    return WithFaults(faults_, [&] { return inner_.Update(id, change); });
  }
  absl::StatusOr<std::optional<LeasedJob>> LeaseNext(const LeaseOffer& offer,
                                                     Change change) override {
    return WithFaults(faults_, [&] { return inner_.LeaseNext(offer, change); });
  }
  absl::StatusOr<std::optional<LeasedJob>> FindLease(absl::string_view worker_id,
                                                     absl::string_view instance_id) override {
    return WithFaults(faults_, [&] { return inner_.FindLease(worker_id, instance_id); });
  }
  absl::StatusOr<std::vector<std::string>> ExpiredLeases(absl::Time now, int limit) override {
    return WithFaults(faults_, [&] { return inner_.ExpiredLeases(now, limit); });
  }
  absl::StatusOr<LogChunk> ReadLog(absl::string_view id, int64_t offset,
                                   int64_t max_bytes) override {
    return WithFaults(faults_, [&] { return inner_.ReadLog(id, offset, max_bytes); });
  }
  absl::StatusOr<v1::Artifact> GetArtifact(absl::string_view id) override {
    return WithFaults(faults_, [&] { return inner_.GetArtifact(id); });
  }
  absl::StatusOr<std::string> GetBestScales(absl::string_view id) override {
    return WithFaults(faults_, [&] { return inner_.GetBestScales(id); });
  }
  absl::StatusOr<std::optional<JobRecord>> FindByContentKey(absl::string_view tenant,
                                                            absl::string_view key) override {
    return WithFaults(faults_, [&] { return inner_.FindByContentKey(tenant, key); });
  }
  absl::StatusOr<std::vector<std::string>> EndedBefore(v1::JobState state, absl::Time time,
                                                       int limit) override {
    return WithFaults(faults_, [&] { return inner_.EndedBefore(state, time, limit); });
  }
  absl::StatusOr<std::vector<std::string>> Delete(
      absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) override {
    return WithFaults(faults_, [&] { return inner_.Delete(id, check); });
  }
  absl::Status NoteUploads(absl::string_view tenant, const std::vector<std::string>& digests,
                           absl::Time time) override {
    return WithFaults(faults_, [&] { return inner_.NoteUploads(tenant, digests, time); });
  }
  absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) override {
    return WithFaults(faults_, [&] { return inner_.ExpireUploads(time); });
  }
  absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) override {
    return WithFaults(faults_, [&] { return inner_.IsBlobReferenced(sha256); });
  }
  absl::Status HoldBlobs(const std::string& holder, const std::vector<std::string>& digests,
                         absl::Time time) override {
    return WithFaults(faults_, [&] { return inner_.HoldBlobs(holder, digests, time); });
  }
  absl::Status ReleaseBlobs(const std::string& holder) override {
    return WithFaults(faults_, [&] { return inner_.ReleaseBlobs(holder); });
  }
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256, const std::string& remover,
                                        absl::Time now) override {
    return WithFaults(faults_, [&] { return inner_.BeginBlobRemoval(sha256, remover, now); });
  }
  absl::Status EndBlobRemoval(const std::string& sha256, const std::string& remover) override {
    return WithFaults(faults_, [&] { return inner_.EndBlobRemoval(sha256, remover); });
  }
  absl::StatusOr<std::vector<std::string>> StaleBlobRemovals(absl::Time now) override {
    return WithFaults(faults_, [&] { return inner_.StaleBlobRemovals(now); });
  }
  absl::StatusOr<std::vector<SharedWorker>> ShareWorkers(const std::vector<SharedWorker>& changed,
                                                         absl::Time oldest) override {
    return WithFaults(faults_, [&] { return inner_.ShareWorkers(changed, oldest); });
  }
  absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) override {
    return WithFaults(faults_, [&] { return inner_.IsBlobOf(tenant, sha256); });
  }
  absl::StatusOr<JobStats> Stats() override {
    return WithFaults(faults_, [&] { return inner_.Stats(); });
  }

 private:
  JobStore& inner_;
  Faults& faults_;
};

// Uploads are not simulated.
class FaultyBlobStore final : public BlobStore {
 public:
  FaultyBlobStore(BlobStore& inner, Faults& faults) : inner_(inner), faults_(faults) {}

  absl::StatusOr<std::string> Put(absl::string_view content) override {
    return WithFaults(faults_, [&] { return inner_.Put(content); });
  }
  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256) override {
    return WithFaults(faults_, [&] { return inner_.Open(sha256); });
  }
  absl::StatusOr<std::optional<int64_t>> SizeOf(absl::string_view sha256) override {
    return inner_.SizeOf(sha256);
  }
  int64_t UploadedBytes(absl::string_view sha256) override { return inner_.UploadedBytes(sha256); }
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(absl::string_view sha256,
                                                          int64_t size_bytes) override {
    return inner_.BeginUpload(sha256, size_bytes);
  }
  absl::Status RemoveUploads(absl::Time time) override { return inner_.RemoveUploads(time); }
  absl::Status Delete(absl::string_view sha256) override {
    return WithFaults(faults_, [&] { return inner_.Delete(sha256); });
  }
  absl::StatusOr<std::vector<std::string>> List() override {
    return WithFaults(faults_, [&] { return inner_.List(); });
  }
  int64_t size_bytes() const override { return inner_.size_bytes(); }

 private:
  BlobStore& inner_;
  Faults& faults_;
};

}  // namespace sasq::simulation

#endif  // SASQ_TESTS_SERVER_SIMULATION_FAULTY_STORES_H_
