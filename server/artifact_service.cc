#include "server/artifact_service.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/pulled_stream.h"
#include "server/rpc_run.h"
#include "server/server_status.h"
#include "server/upload_stream.h"

namespace sasq {
namespace {

constexpr int64_t kMaxBlobMessageBytes = 256 << 10;

class BlobStream final : public PulledStream<v1::DownloadBlobResponse> {
 public:
  BlobStream(Coordinator& coordinator, const RpcParts& rpc, ServerMetrics& metrics,
             const v1::DownloadBlobRequest& request)
      : coordinator_(coordinator),
        rpc_(rpc),
        metrics_(metrics),
        request_(request),
        offset_(request.offset()) {}

 private:
  absl::Status Begin(Call call) override {
    who_ = std::move(call.principal);
    return absl::OkStatus();
  }

  void Produce() override {
    const auto self = std::static_pointer_cast<BlobStream>(shared_from_this());
    if (!rpc_.executor.TrySubmit([self] { self->ReadOn(); })) End(ServerBusyStatus());
  }

  void ReadOn() {
    absl::StatusOr<std::string> data = NextPiece();
    if (!data.ok()) return End(data.status());
    if (data->empty()) return End(absl::OkStatus());
    metrics_.BlobBytes("download", data->size());
    v1::DownloadBlobResponse response;
    response.set_offset(offset_);
    offset_ += static_cast<int64_t>(data->size());
    response.set_data(*std::move(data));
    Send(std::move(response));
  }

  absl::StatusOr<std::string> NextPiece() {
    if (reader_ == nullptr) {
      SASQ_ASSIGN_OR_RETURN(reader_, coordinator_.OpenBlob(who_, request_));
      if (offset_ < 0 || offset_ > reader_->size_bytes()) {
        return WithReason(
            absl::OutOfRangeError(absl::StrCat("offset is ", offset_, ", want 0..",
                                               reader_->size_bytes(), ", the blob's length")),
            "OFFSET_OUT_OF_RANGE");
      }
    }
    return reader_->Read(offset_, kMaxBlobMessageBytes);
  }

  Coordinator& coordinator_;
  const RpcParts rpc_;
  ServerMetrics& metrics_;
  const v1::DownloadBlobRequest request_;
  Principal who_;  // constant from Begin on
  // One ReadOn at a time.
  int64_t offset_;
  std::unique_ptr<const BlobReader> reader_;
};

}  // namespace

grpc::ServerUnaryReactor* ArtifactServiceImpl::GetArtifact(grpc::CallbackServerContext* context,
                                                           const v1::GetArtifactRequest* request,
                                                           v1::GetArtifactResponse* response) {
  return RunUnary(
      context, rpc_, Rpc::kGetArtifact, [this, request, response](Call& call) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(*response->mutable_artifact(),
                              coordinator_.GetArtifact(call.principal, request->name()));
        return absl::OkStatus();
      });
}

grpc::ServerUnaryReactor* ArtifactServiceImpl::GetBestScales(
    grpc::CallbackServerContext* context, const v1::GetBestScalesRequest* request,
    v1::GetBestScalesResponse* response) {
  return RunUnary(
      context, rpc_, Rpc::kGetBestScales, [this, request, response](Call& call) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(*response->mutable_scales(),
                              coordinator_.GetBestScales(call.principal, request->job()));
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<v1::DownloadBlobResponse>* ArtifactServiceImpl::DownloadBlob(
    grpc::CallbackServerContext* context, const v1::DownloadBlobRequest* request) {
  return std::make_shared<BlobStream>(coordinator_, rpc_, metrics_, *request)
      ->Start(rpc_.gate, *context, Rpc::kDownloadBlob);
}

grpc::ServerUnaryReactor* ArtifactServiceImpl::FindMissingBlobs(
    grpc::CallbackServerContext* context, const v1::FindMissingBlobsRequest* request,
    v1::FindMissingBlobsResponse* response) {
  return RunUnary(
      context, rpc_, Rpc::kFindMissingBlobs, [this, request, response](Call& call) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(*response, coordinator_.FindMissingBlobs(call.principal, *request));
        return absl::OkStatus();
      });
}

grpc::ServerReadReactor<v1::UploadBlobRequest>* ArtifactServiceImpl::UploadBlob(
    grpc::CallbackServerContext* context, v1::UploadBlobResponse*) {
  return UploadStream::Start(coordinator_, rpc_, *context);
}

}  // namespace sasq
