// sasq.v1.ArtifactService on gRPC.
#ifndef SASQ_SERVER_ARTIFACT_SERVICE_H_
#define SASQ_SERVER_ARTIFACT_SERVICE_H_

#include "sasq/v1/artifact_service.grpc.pb.h"
#include "server/coordinator.h"
#include "server/rpc_run.h"
#include "server/server_metrics.h"

namespace sasq {

// Thread-safe. Its arguments outlive it.
class ArtifactServiceImpl final : public v1::ArtifactService::CallbackService {
 public:
  ArtifactServiceImpl(Coordinator& coordinator, const RpcParts& rpc, ServerMetrics& metrics)
      : coordinator_(coordinator), rpc_(rpc), metrics_(metrics) {}

  grpc::ServerUnaryReactor* GetArtifact(grpc::CallbackServerContext* context,
                                        const v1::GetArtifactRequest* request,
                                        v1::GetArtifactResponse* response) override;
  grpc::ServerUnaryReactor* GetBestScales(grpc::CallbackServerContext* context,
                                          const v1::GetBestScalesRequest* request,
                                          v1::GetBestScalesResponse* response) override;
  grpc::ServerWriteReactor<v1::DownloadBlobResponse>* DownloadBlob(
      grpc::CallbackServerContext* context, const v1::DownloadBlobRequest* request) override;
  grpc::ServerUnaryReactor* FindMissingBlobs(grpc::CallbackServerContext* context,
                                             const v1::FindMissingBlobsRequest* request,
                                             v1::FindMissingBlobsResponse* response) override;
  grpc::ServerReadReactor<v1::UploadBlobRequest>* UploadBlob(
      grpc::CallbackServerContext* context, v1::UploadBlobResponse* response) override;

 private:
  Coordinator& coordinator_;
  const RpcParts rpc_;
  ServerMetrics& metrics_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_ARTIFACT_SERVICE_H_
