// Uploaded files, read from the coordinator.
#ifndef SASQ_WORKER_UPLOAD_CLIENT_H_
#define SASQ_WORKER_UPLOAD_CLIENT_H_

#include <memory>
#include <string>

#include "common/mutex.h"
#include "quant/source/source_fetcher.h"
#include "sasq/v1/artifact_service.grpc.pb.h"

namespace sasq {

// Thread-safe.
class UploadClient final : public UploadReader {
 public:
  // `channel`: of MakeCoordinatorChannel.
  explicit UploadClient(const std::shared_ptr<grpc::Channel>& channel);

  // The lease under which files are read from now on: a coordinator gives a worker the inputs of
  // its own job alone.
  void UseLease(const std::string& job, const std::string& lease_token) ABSL_LOCKS_EXCLUDED(mutex_);

  // NOT_FOUND and DATA_LOSS are final; an outage is UNAVAILABLE.
  absl::Status Read(const std::string& sha256, int64_t offset, const std::stop_token& stop,
                    TakePiece take) override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const std::unique_ptr<v1::ArtifactService::Stub> stub_;

  Mutex mutex_;
  std::string job_ ABSL_GUARDED_BY(mutex_);
  std::string lease_token_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_WORKER_UPLOAD_CLIENT_H_
