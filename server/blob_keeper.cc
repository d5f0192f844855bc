#include "server/blob_keeper.h"

#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/sha256.h"
#include "common/status_macros.h"

namespace sasq {

void BlobKeeper::Pin(const std::string& digest) {
  MutexLock lock(&mutex_);
  while (in_removal_.count(digest) > 0) removed_.Wait(&mutex_);
  ++pin_counts_[digest];
}

void BlobKeeper::Unpin(const std::string& digest) {
  MutexLock lock(&mutex_);
  const auto found = pin_counts_.find(digest);
  if (--found->second == 0) pin_counts_.erase(found);
}

bool BlobKeeper::BeginRemoval(const std::string& digest) {
  MutexLock lock(&mutex_);
  if (pin_counts_.count(digest) > 0) return false;  // its holder looks again when it lets go
  return in_removal_.insert(digest).second;
}

void BlobKeeper::EndRemoval(const std::string& digest) {
  MutexLock lock(&mutex_);
  in_removal_.erase(digest);
  removed_.SignalAll();
}

absl::Status BlobKeeper::Put(const std::vector<const dispatch::v1::ArtifactFile*>& files,
                             Held& held) {
  for (const dispatch::v1::ArtifactFile* file : files) {
    v1::Blob& blob = held.blobs.emplace_back();
    blob.set_file_name(file->file_name());
    blob.set_sha256(Sha256Hex(file->content()));
    blob.set_size_bytes(static_cast<int64_t>(file->content().size()));
    Pin(blob.sha256());
    const Stopwatch stopwatch;
    const absl::Status status = blobs_.Put(file->content()).status();
    metrics_.StoreOperation("put_blob", absl::Seconds(stopwatch.Seconds()), status);
    SASQ_RETURN_IF_ERROR(status);
  }
  metrics_.SetBlobBytes(blobs_.size_bytes());
  return absl::OkStatus();
}

void BlobKeeper::Release(const Held& held) {
  std::vector<std::string> digests;
  for (const v1::Blob& blob : held.blobs) {
    Unpin(blob.sha256());
    digests.push_back(blob.sha256());
  }
  RemoveUnreferenced(digests);
}

absl::Status BlobKeeper::RemoveIfUnreferenced(const std::string& digest) {
  SASQ_ASSIGN_OR_RETURN(const bool referenced, jobs_.IsBlobReferenced(digest));
  return referenced ? absl::OkStatus() : blobs_.Delete(digest);
}

void BlobKeeper::RemoveUnreferenced(const std::vector<std::string>& digests) {
  for (const std::string& digest : digests) {
    if (!BeginRemoval(digest)) continue;
    const absl::Status status = RemoveIfUnreferenced(digest);
    EndRemoval(digest);
    if (!status.ok()) LogWarning("blob_not_removed", {{"sha256", digest}, {"error", status}});
  }
  metrics_.SetBlobBytes(blobs_.size_bytes());
}

absl::Status BlobKeeper::RemoveOrphans() {
  SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> digests, blobs_.List());
  RemoveUnreferenced(digests);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const BlobReader>> BlobKeeper::Open(absl::string_view sha256) {
  const Stopwatch stopwatch;
  auto reader = blobs_.Open(sha256);
  metrics_.StoreOperation("open_blob", absl::Seconds(stopwatch.Seconds()), reader.status());
  return reader;
}

}  // namespace sasq
