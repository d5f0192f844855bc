// Uploaded files, read from the coordinator.
#ifndef SASQ_WORKER_UPLOAD_CLIENT_H_
#define SASQ_WORKER_UPLOAD_CLIENT_H_

#include <memory>
#include <string>

#include "quant/source/source_fetcher.h"
#include "sasq/v1/artifact_service.grpc.pb.h"

namespace sasq {

// Thread-safe.
class UploadClient final : public UploadReader {
 public:
  // Connects at the first call. `coordinator`: host:port.
  explicit UploadClient(const std::string& coordinator);

  // NOT_FOUND and DATA_LOSS are final; an outage is UNAVAILABLE.
  absl::Status Read(const std::string& sha256, int64_t offset, const std::stop_token& stop,
                    TakePiece take) override;

 private:
  const std::unique_ptr<v1::ArtifactService::Stub> stub_;
};

}  // namespace sasq

#endif  // SASQ_WORKER_UPLOAD_CLIENT_H_
