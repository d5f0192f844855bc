#include "worker/upload_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "common/rpc_status.h"
#include "worker/backoff.h"

namespace sasq {

UploadClient::UploadClient(const std::shared_ptr<grpc::Channel>& channel)
    : stub_(v1::ArtifactService::NewStub(channel)) {}

void UploadClient::UseLease(const std::string& job, const std::string& lease_token) {
  MutexLock lock(&mutex_);
  job_ = job;
  lease_token_ = lease_token;
}

absl::Status UploadClient::Read(const std::string& sha256, int64_t offset,
                                const std::stop_token& stop, TakePiece take) {
  grpc::ClientContext context;
  const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
  v1::DownloadBlobRequest request;
  request.set_sha256(sha256);
  request.set_offset(offset);
  {
    MutexLock lock(&mutex_);
    request.set_job(job_);
    request.set_lease_token(lease_token_);
  }
  const auto reader = stub_->DownloadBlob(&context, request);
  v1::DownloadBlobResponse response;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) taken = take(response.offset(), response.data());
  if (!taken.ok()) context.TryCancel();
  const absl::Status status = FromGrpcStatus(reader->Finish());
  if (!taken.ok()) return taken;
  if (stop.stop_requested()) return absl::CancelledError("stopped while fetching");
  // The reason is of the call, not of the job.
  const bool may_pass = IsTransient(status);
  return status.ok() ? status
                     : absl::Status(may_pass ? absl::StatusCode::kUnavailable : status.code(),
                                    status.message());
}

}  // namespace sasq
