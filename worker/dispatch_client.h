// The worker's calls to the coordinator: deadlines, keepalive and status conversion in one place.
#ifndef SASQ_WORKER_DISPATCH_CLIENT_H_
#define SASQ_WORKER_DISPATCH_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/rpc_channel.h"
#include "sasq/dispatch/v1/dispatch_service.grpc.pb.h"

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace sasq {

// A connection to the coordinator, made at its first call. Errors as of MakeRpcChannel.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeCoordinatorChannel(
    const std::string& coordinator, const RpcSecurity& security = {});

// Thread-safe. Every call blocks until its answer or its deadline; errors carry the coordinator's
// reason (ReasonOf) or are UNAVAILABLE or DEADLINE_EXCEEDED.
class DispatchClient {
 public:
  struct Options {
    std::shared_ptr<grpc::Channel> channel;  // of MakeCoordinatorChannel
    // How long a call may take. LeaseTask gets the wait that it asks for on top.
    absl::Duration call_timeout = absl::Seconds(10);
  };

  // Does not connect yet.
  explicit DispatchClient(const Options& options);
  DispatchClient(const DispatchClient&) = delete;
  DispatchClient& operator=(const DispatchClient&) = delete;

  absl::StatusOr<dispatch::v1::RegisterWorkerResponse> RegisterWorker(
      const dispatch::v1::RegisterWorkerRequest& request);
  // CANCELLED if it would wait after AbortLease, or waits when that is called.
  absl::StatusOr<dispatch::v1::LeaseTaskResponse> LeaseTask(
      const dispatch::v1::LeaseTaskRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<dispatch::v1::HeartbeatResponse> Heartbeat(
      const dispatch::v1::HeartbeatRequest& request);
  // `timeout`: instead of call_timeout, because a result has up to 24 MiB. `traceparent`: what the
  // call is part of.
  absl::Status CompleteTask(const dispatch::v1::CompleteTaskRequest& request,
                            absl::Duration timeout, const std::string& traceparent);

  // Ends the LeaseTask that waits, and every later one that would.
  void AbortLease() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Constant after construction.
  const Options options_;
  const std::unique_ptr<dispatch::v1::DispatchService::Stub> stub_;

  Mutex mutex_;
  bool lease_aborted_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* lease_context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the waiting call
};

}  // namespace sasq

#endif  // SASQ_WORKER_DISPATCH_CLIENT_H_
