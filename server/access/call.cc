#include "server/access/call.h"

namespace sasq {
namespace {

// What is the service's fault and not the caller's, as OpenTelemetry's conventions for gRPC have
// it.
bool IsFault(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDataLoss:
      return true;
    default:
      return false;
  }
}

}  // namespace

void Call::EndSpan(const absl::Status& status) const {
  if (span == nullptr) return;
  if (!resource.empty()) span->SetAttribute("sasq.resource", resource);
  span->SetAttribute("rpc.response.status_code", absl::StatusCodeToString(status.code()));
  span->End(IsFault(status) ? status : absl::OkStatus());
}

}  // namespace sasq
