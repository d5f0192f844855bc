// Checks what workers send against the limits of dispatch_service.proto. Errors are
// INVALID_ARGUMENT (INVALID_REQUEST) with one violation per wrong field.
#ifndef SASQ_SERVER_DISPATCH_VALIDATION_H_
#define SASQ_SERVER_DISPATCH_VALIDATION_H_

#include <cstddef>

#include "absl/status/status.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"

namespace sasq {

inline constexpr size_t kMaxWorkerIdBytes = 128;
inline constexpr size_t kMaxDeviceNameBytes = 256;
inline constexpr size_t kMaxLogDataBytes = 64 << 10;
inline constexpr size_t kMaxCheckpointBytes = 1 << 20;
inline constexpr size_t kMaxArtifactBytes = 24 << 20;
inline constexpr int kMaxArtifactFiles = 16;
inline constexpr int kMaxRows = 64;
inline constexpr size_t kMaxSubjectBytes = 256;
inline constexpr size_t kMaxFailureBytes = 16 << 10;

absl::Status CheckRegisterWorker(const dispatch::v1::RegisterWorkerRequest& request);
absl::Status CheckLeaseTask(const dispatch::v1::LeaseTaskRequest& request);
absl::Status CheckHeartbeat(const dispatch::v1::HeartbeatRequest& request);
absl::Status CheckCompleteTask(const dispatch::v1::CompleteTaskRequest& request);

}  // namespace sasq

#endif  // SASQ_SERVER_DISPATCH_VALIDATION_H_
