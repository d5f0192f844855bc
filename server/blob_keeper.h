// Keeps blobs and references to them in step: a blob that is being published is never removed, and
// one that no artifact refers to does not stay.
#ifndef SASQ_SERVER_BLOB_KEEPER_H_
#define SASQ_SERVER_BLOB_KEEPER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/artifact_service.pb.h"
#include "server/blob_store.h"
#include "server/job_store.h"
#include "server/server_metrics.h"

namespace sasq {

// Thread-safe. Its arguments outlive it.
class BlobKeeper {
 public:
  BlobKeeper(BlobStore& blobs, JobStore& jobs, ServerMetrics& metrics)
      : blobs_(blobs), jobs_(jobs), metrics_(metrics) {}

  // Blobs that stay until Release, referenced or not.
  struct Held {
    std::vector<v1::Blob> blobs;
  };

  // Stores the files, and holds them while their artifact is published. Call Release afterwards,
  // also on an error.
  absl::Status Put(const std::vector<const dispatch::v1::ArtifactFile*>& files, Held& held);
  // Lets go, and removes the blobs that did not become part of an artifact.
  void Release(const Held& held);

  // Removes those of the blobs that no artifact refers to. What cannot be removed is logged and
  // goes at the next start.
  void RemoveUnreferenced(const std::vector<std::string>& digests) ABSL_LOCKS_EXCLUDED(mutex_);

  // Removes every blob that no artifact refers to: what a crash left.
  absl::Status RemoveOrphans();

  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256);
  int64_t size_bytes() const { return blobs_.size_bytes(); }

 private:
  // Waits while the blob is being removed.
  void Pin(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unpin(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  bool BeginRemoval(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndRemoval(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RemoveIfUnreferenced(const std::string& digest);

  BlobStore& blobs_;
  JobStore& jobs_;
  ServerMetrics& metrics_;

  Mutex mutex_;
  CondVar removed_;
  std::map<std::string, int> pin_counts_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> in_removal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_BLOB_KEEPER_H_
