#include "server/upload_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/server_status.h"

namespace sasq {
namespace {

constexpr size_t kMaxDataBytes = 1 << 20;

absl::Status InvalidMessage(absl::string_view field, absl::string_view description) {
  return FieldViolationsStatus({{std::string(field), std::string(description)}}, "INVALID_REQUEST");
}

}  // namespace

UploadStream* UploadStream::Start(Coordinator& coordinator, const RpcParts& rpc,
                                  grpc::CallbackServerContext& context) {
  std::unique_ptr<UploadStream> stream(new UploadStream(coordinator, rpc));
  UploadStream* const started = stream.get();
  started->self_ = std::move(stream);
  rpc.gate.Admit(context, Rpc::kUploadBlob, [started](absl::StatusOr<Call> call) {
    if (!call.ok()) return started->Finish(ToGrpcStatus(call.status()));
    started->call_ = *std::move(call);
    started->StartRead(&started->request_);
  });
  return started;
}

void UploadStream::OnReadDone(bool ok) {
  const bool accepted = rpc_.executor.TrySubmit([this, ok] {
    const LogScope scope = call_.NameInLog();
    if (!ok) return End(Complete());
    const absl::StatusOr<bool> is_there = Take();
    if (!is_there.ok() || *is_there) return End(is_there.status());
    StartRead(&request_);
  });
  if (accepted) return;
  upload_.reset();
  Finish(ToGrpcStatus(ServerBusyStatus()));
}

void UploadStream::End(const absl::Status& status) {
  upload_.reset();
  rpc_.gate.Audit(call_, status);
  call_.EndSpan(status);
  Finish(ToGrpcStatus(status));
}

absl::Status UploadStream::TakeStart() {
  if (!request_.has_start()) return InvalidMessage("start", "is required in the first message");
  started_ = true;
  start_ = request_.start();
  call_.resource = start_.sha256();
  SASQ_ASSIGN_OR_RETURN(upload_, coordinator_.BeginUpload(call_.principal, start_));
  return absl::OkStatus();
}

absl::StatusOr<bool> UploadStream::Take() {
  if (!started_) {
    SASQ_RETURN_IF_ERROR(TakeStart());
  } else if (request_.has_start()) {
    return InvalidMessage("start", "is for the first message alone");
  }
  if (upload_ == nullptr) return true;
  if (request_.data().size() > kMaxDataBytes) {
    return InvalidMessage("data", absl::StrCat("has ", request_.data().size(),
                                               " bytes, want at most ", kMaxDataBytes));
  }
  const int64_t left = start_.size_bytes() - upload_->size_bytes();
  if (static_cast<int64_t>(request_.data().size()) > left) {
    return InvalidMessage("data", absl::StrCat("has ", request_.data().size(), " bytes, but only ",
                                               left, " of the blob are left"));
  }
  SASQ_RETURN_IF_ERROR(upload_->Append(request_.data()));
  return false;
}

absl::Status UploadStream::Complete() {
  if (!started_) return InvalidMessage("start", "is required in the first message");
  if (upload_->size_bytes() == start_.size_bytes()) {
    return coordinator_.FinishUpload(call_.principal, start_, *upload_);
  }
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("the stream ended after ", upload_->size_bytes(), " of ",
                                     start_.size_bytes(), " bytes; they stay, go on from there")),
                    "UPLOAD_INCOMPLETE");
}

}  // namespace sasq
