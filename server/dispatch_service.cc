#include "server/dispatch_service.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "server/dispatch_validation.h"
#include "server/rpc_run.h"
#include "server/server_status.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr absl::Duration kMaxLeaseWait = absl::Seconds(60);

// A LeaseTask call, from its arrival to gRPC's last word on it.
class LeaseCall final : public grpc::ServerUnaryReactor,
                        public LeasePoll,
                        public std::enable_shared_from_this<LeaseCall> {
 public:
  LeaseCall(LeaseManager& leases, LeaseQueue& queue, const CoordinatorParts& parts,
            const dispatch::v1::LeaseTaskRequest& request,
            dispatch::v1::LeaseTaskResponse& response)
      : leases_(leases), queue_(queue), parts_(parts), response_(response) {
    caller_.worker_id = request.worker_id();
    caller_.instance_id = request.instance_id();
    caller_.deadline = parts.clock.Now() + std::min(ToDuration(request.wait()), kMaxLeaseWait);
  }

  void Start(Executor& executor) {
    self_ = shared_from_this();
    if (!executor.TrySubmit([self = self_] { self->Begin(); })) Answer(ServerBusyStatus());
  }

  const Caller& caller() const override { return caller_; }
  bool abandoned() const override { return abandoned_.load(); }

  bool Answer(absl::StatusOr<std::optional<dispatch::v1::Task>> result) override {
    if (abandoned()) {
      Finish(grpc::Status::CANCELLED);
      return false;
    }
    if (result.ok() && result->has_value()) *response_.mutable_task() = *std::move(*result);
    Finish(ToGrpcStatus(result.status()));
    return true;
  }

 private:
  // On the executor: what needs no waiting first, then into the queue.
  void Begin() {
    const absl::StatusOr<v1::WorkerCapabilities> capabilities =
        parts_.workers.Touch(caller_.worker_id, caller_.instance_id, parts_.clock.Now());
    if (!capabilities.ok()) {
      Answer(capabilities.status());
      return;
    }
    caller_.device_kind = capabilities->device_kind();
    caller_.memory_bytes = capabilities->memory_bytes();
    absl::StatusOr<std::optional<dispatch::v1::Task>> undelivered =
        leases_.FindUndelivered(caller_.worker_id, caller_.instance_id);
    if (!undelivered.ok() || undelivered->has_value()) {
      Answer(std::move(undelivered));  // if that is lost too, the next call finds it again
      return;
    }
    queue_.Add(shared_from_this());
  }

  void OnCancel() override {
    abandoned_.store(true);
    if (queue_.Remove(this)) Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { self_.reset(); }

  LeaseManager& leases_;
  LeaseQueue& queue_;
  const CoordinatorParts parts_;
  dispatch::v1::LeaseTaskResponse& response_;
  Caller caller_;  // constant once the call is in the queue
  std::atomic<bool> abandoned_{false};
  std::shared_ptr<LeaseCall> self_;  // from Start to OnDone
};

}  // namespace

grpc::ServerUnaryReactor* DispatchServiceImpl::RegisterWorker(
    grpc::CallbackServerContext* context, const dispatch::v1::RegisterWorkerRequest* request,
    dispatch::v1::RegisterWorkerResponse* response) {
  return RunUnary(context, executor_, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response, leases_.RegisterWorker(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DispatchServiceImpl::LeaseTask(
    grpc::CallbackServerContext* context, const dispatch::v1::LeaseTaskRequest* request,
    dispatch::v1::LeaseTaskResponse* response) {
  if (absl::Status status = CheckLeaseTask(*request); !status.ok()) {
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(ToGrpcStatus(status));
    return reactor;
  }
  const auto call = std::make_shared<LeaseCall>(leases_, queue_, parts_, *request, *response);
  call->Start(executor_);
  return call.get();
}

grpc::ServerUnaryReactor* DispatchServiceImpl::Heartbeat(
    grpc::CallbackServerContext* context, const dispatch::v1::HeartbeatRequest* request,
    dispatch::v1::HeartbeatResponse* response) {
  return RunUnary(context, executor_, [this, request, response]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response, leases_.Heartbeat(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DispatchServiceImpl::CompleteTask(
    grpc::CallbackServerContext* context, const dispatch::v1::CompleteTaskRequest* request,
    dispatch::v1::CompleteTaskResponse* response) {
  return RunUnary(context, executor_, [this, request] { return leases_.CompleteTask(*request); });
}

}  // namespace sasq
