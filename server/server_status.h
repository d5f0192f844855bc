// Statuses of the server's own condition, which any RPC may answer.
#ifndef SASQ_SERVER_SERVER_STATUS_H_
#define SASQ_SERVER_SERVER_STATUS_H_

#include "absl/status/status.h"
#include "common/rpc_status.h"

namespace sasq {

// RESOURCE_EXHAUSTED (SERVER_BUSY): the executor's queue is full.
inline absl::Status ServerBusyStatus() {
  return WithReason(
      absl::ResourceExhaustedError("the server's queue of work is full; try again later"),
      "SERVER_BUSY");
}

// UNAVAILABLE (SERVER_SHUTDOWN).
inline absl::Status ServerShutdownStatus() {
  return WithReason(absl::UnavailableError("the server stops; connect again"), "SERVER_SHUTDOWN");
}

}  // namespace sasq

#endif  // SASQ_SERVER_SERVER_STATUS_H_
