// ArtifactService.UploadBlob: one blob, message by message, written on an executor.
#ifndef SASQ_SERVER_UPLOAD_STREAM_H_
#define SASQ_SERVER_UPLOAD_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <memory>

#include "absl/status/statusor.h"
#include "sasq/v1/artifact_service.pb.h"
#include "server/coordinator.h"
#include "server/rpc_run.h"

namespace sasq {

// Reads the next message when the one before is written: a fast sender costs one message of memory
// and no thread. Owns itself from Start until gRPC is done with it.
class UploadStream final : public grpc::ServerReadReactor<v1::UploadBlobRequest> {
 public:
  // Begins to read once the gate lets the call in. The first two arguments outlive the stream.
  static UploadStream* Start(Coordinator& coordinator, const RpcParts& rpc,
                             grpc::CallbackServerContext& context);

 private:
  UploadStream(Coordinator& coordinator, const RpcParts& rpc)
      : coordinator_(coordinator), rpc_(rpc) {}

  void OnReadDone(bool ok) override;
  void OnDone() override { self_.reset(); }

  // Writes the message that was read. True: the blob was there already, nothing more is wanted.
  absl::StatusOr<bool> Take();
  absl::Status TakeStart();
  // The sender has no more.
  absl::Status Complete();
  // Lets go of the upload, so that the next call can go on with it, and ends the stream.
  void End(const absl::Status& status);

  Coordinator& coordinator_;
  const RpcParts rpc_;
  std::unique_ptr<UploadStream> self_;
  Call call_;  // constant from the first read on, but for its resource
  // One message at a time.
  v1::UploadBlobRequest request_;
  v1::UploadStart start_;
  bool started_ = false;
  std::unique_ptr<BlobUpload> upload_;  // null: the blob is there
};

}  // namespace sasq

#endif  // SASQ_SERVER_UPLOAD_STREAM_H_
