// Keeps blobs and references to them in step, also where several coordinators share both stores: a
// blob that is being published or uploaded is never removed, and one that nothing refers to does
// not stay. The job store says who refers to a blob, and marks one that is being removed.
#ifndef SASQ_SERVER_BLOB_KEEPER_H_
#define SASQ_SERVER_BLOB_KEEPER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/uid.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/artifact_service.pb.h"
#include "server/access/principal.h"
#include "server/blob_store.h"
#include "server/job_store.h"
#include "server/server_metrics.h"

namespace sasq {

// Thread-safe. Its arguments outlive it.
class BlobKeeper {
 public:
  struct Options {
    // How long an upload stays that no job uses, and one that broke off.
    absl::Duration upload_retention = absl::Hours(24);
    // Uploads are refused that would make all blobs together larger.
    int64_t max_blob_bytes = int64_t{200} << 30;
    const Clock* clock = Clock::Real();
  };

  BlobKeeper(BlobStore& blobs, JobStore& jobs, ServerMetrics& metrics)
      : BlobKeeper(blobs, jobs, metrics, Options()) {}
  BlobKeeper(BlobStore& blobs, JobStore& jobs, ServerMetrics& metrics, Options options)
      : options_(options), blobs_(blobs), jobs_(jobs), metrics_(metrics) {
    metrics_.SetBlobLimit(options_.max_blob_bytes);
  }

  // Blobs that stay until Release, referenced or not; for upload_retention if this process dies.
  struct Held {
    std::vector<v1::Blob> blobs;
    std::string holder = NewUid();  // of JobStore::HoldBlobs
  };

  // Stores the files, and holds them while their artifact is published. Call Release afterwards,
  // also on an error.
  absl::Status Put(const std::vector<const dispatch::v1::ArtifactFile*>& files, Held& held);
  // Lets go, and removes the blobs that did not become part of an artifact.
  void Release(const Held& held);

  // Holds the uploaded files of a spec, so that a job can be made of them. FAILED_PRECONDITION
  // (BLOB_MISSING) names the first one that is not there for the caller; INVALID_ARGUMENT
  // (INVALID_SPEC) one whose size is another.
  absl::Status HoldUploads(const Principal& who, const v1::JobSpec& spec, Held& held);

  // Those of the blobs that are not there for the caller: whoever has not uploaded a blob has to,
  // even if another tenant did. The others stay for upload_retention from `now` on.
  absl::StatusOr<std::vector<v1::MissingBlob>> FindMissing(const Principal& who,
                                                           const std::vector<std::string>& digests,
                                                           absl::Time now);
  // Begins an upload; null if FindMissing does not miss the blob, which then stays as it says.
  // RESOURCE_EXHAUSTED (STORAGE_FULL) beyond max_blob_bytes, else as BlobStore::BeginUpload.
  absl::StatusOr<std::unique_ptr<BlobUpload>> BeginUpload(const Principal& who,
                                                          const std::string& sha256,
                                                          int64_t size_bytes, absl::Time now);
  // All bytes are there: makes it a blob that stays for upload_retention.
  absl::Status FinishUpload(const Principal& who, const std::string& sha256, BlobUpload& upload,
                            absl::Time now);
  // Removes uploads whose time is over, and finishes removals that another process began and did
  // not end.
  absl::Status RemoveExpiredUploads(absl::Time now);

  // Removes those of the blobs that nothing refers to. What cannot be removed is logged and
  // goes later.
  void RemoveUnreferenced(const std::vector<std::string>& digests) ABSL_LOCKS_EXCLUDED(mutex_);

  // Removes every blob that nothing refers to: what a crash left. None where the job store knows no
  // job at all: a new database on blobs of an old one must not cost them.
  absl::Status RemoveOrphans();

  absl::StatusOr<std::unique_ptr<const BlobReader>> Open(absl::string_view sha256);
  int64_t size_bytes() const { return blobs_.size_bytes(); }

 private:
  // Whether a blob, if it is there, is there for the caller.
  absl::StatusOr<bool> IsFor(const Principal& who, const std::string& digest);
  struct Removal {
    std::string sha256;
    std::string remover;
  };

  // Calls `hold`, again while a blob that it wants is being removed. UNAVAILABLE (BLOB_IN_REMOVAL)
  // if that takes long.
  absl::Status WaitForRemovals(absl::FunctionRef<absl::Status()> hold) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status RemoveIfUnreferenced(const std::string& digest) ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the job store that a removal is over; if it does not hear, again later.
  absl::Status EndRemoval(const Removal& removal) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndLateRemovals() ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  BlobStore& blobs_;
  JobStore& jobs_;
  ServerMetrics& metrics_;

  Mutex mutex_;
  CondVar removed_;  // by this process
  // Over, or not begun, for all that this process does; marks may be left of them.
  std::vector<Removal> late_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_BLOB_KEEPER_H_
