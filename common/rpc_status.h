// The one place where absl::Status and gRPC's status meet. Details travel as google.rpc.ErrorInfo
// and google.rpc.BadRequest (https://google.aip.dev/193), held as payloads of the absl::Status.
#ifndef SASQ_COMMON_RPC_STATUS_H_
#define SASQ_COMMON_RPC_STATUS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace grpc {
class Status;
}  // namespace grpc

namespace sasq {

// `status` with an ErrorInfo of the domain `sasq`. `reason`: UPPER_SNAKE_CASE.
absl::Status WithReason(absl::Status status, absl::string_view reason);

// The reason that WithReason gave, or an empty string.
std::string ReasonOf(const absl::Status& status);

// A field and what is wrong with it.
struct FieldViolation {
  std::string field;        // such as `spec.evaluation.window_tokens`
  std::string description;  // such as `is 4, want 8..32768`
};

// INVALID_ARGUMENT that lists the violations in its message and as a BadRequest. OK if there are
// none.
absl::Status FieldViolationsStatus(const std::vector<FieldViolation>& violations,
                                   absl::string_view reason);

// The violations that FieldViolationsStatus gave.
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

// A limit that was reached.
struct QuotaViolation {
  std::string subject;      // such as `tenant:research`
  std::string description;  // which limit, and what to do
};

// RESOURCE_EXHAUSTED with the violation in its message and as a google.rpc.QuotaFailure.
absl::Status QuotaFailureStatus(const QuotaViolation& violation, absl::string_view reason);

// To and from the wire, details included.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

}  // namespace sasq

#endif  // SASQ_COMMON_RPC_STATUS_H_
