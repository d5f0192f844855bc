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
// LeaseTask calls at one time: ten fleets of a thousand workers.
constexpr int kMaxLeaseCalls = 10'000;

// A LeaseTask call, from its arrival to gRPC's last word on it.
class LeaseCall final : public grpc::ServerUnaryReactor,
                        public LeasePoll,
                        public std::enable_shared_from_this<LeaseCall> {
 public:
  LeaseCall(LeaseManager& leases, LeaseQueue& queue, const CoordinatorParts& parts,
            const RpcParts& rpc, const dispatch::v1::LeaseTaskRequest& request,
            dispatch::v1::LeaseTaskResponse& response, std::atomic<int>& call_count)
      : leases_(leases),
        queue_(queue),
        parts_(parts),
        rpc_(rpc),
        response_(response),
        call_count_(call_count),
        is_one_too_many_(call_count.fetch_add(1) >= kMaxLeaseCalls) {
    caller_.worker_id = request.worker_id();
    caller_.instance_id = request.instance_id();
    caller_.deadline = parts.clock.Now() + std::min(ToDuration(request.wait()), kMaxLeaseWait);
  }
  ~LeaseCall() override { --call_count_; }

  void Start(grpc::CallbackServerContext& context, const dispatch::v1::LeaseTaskRequest& request) {
    self_ = shared_from_this();
    rpc_.gate.Admit(context, Rpc::kLeaseTask,
                    [self = self_, wrong = CheckLeaseTask(request)](absl::StatusOr<Call> call) {
                      if (!call.ok()) return self->Refuse(call.status());
                      if (!wrong.ok()) return self->Refuse(wrong);
                      if (self->is_one_too_many_) return self->Refuse(ServerBusyStatus());
                      self->call_ = *std::move(call);
                      const bool accepted =
                          self->rpc_.executor.TrySubmit([self] { self->Begin(); });
                      if (!accepted) self->Refuse(ServerBusyStatus());
                    });
  }

  const Caller& caller() const override { return caller_; }
  bool abandoned() const override { return abandoned_.load(); }

  bool Answer(absl::StatusOr<std::optional<dispatch::v1::Task>> result) override {
    if (abandoned()) {
      Finish(grpc::Status::CANCELLED);
      return false;
    }
    if (result.ok() && result->has_value()) {
      call_.resource = (*result)->job();
      rpc_.gate.Audit(call_, absl::OkStatus());
      *response_.mutable_task() = *std::move(*result);
    }
    Finish(ToGrpcStatus(result.status()));
    return true;
  }

 private:
  void Refuse(const absl::Status& status) { Finish(ToGrpcStatus(status)); }

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
  const RpcParts rpc_;
  dispatch::v1::LeaseTaskResponse& response_;
  std::atomic<int>& call_count_;
  const bool is_one_too_many_;
  Call call_;
  Caller caller_;  // constant once the call is in the queue
  std::atomic<bool> abandoned_{false};
  std::shared_ptr<LeaseCall> self_;  // from Start to OnDone
};

}  // namespace

grpc::ServerUnaryReactor* DispatchServiceImpl::RegisterWorker(
    grpc::CallbackServerContext* context, const dispatch::v1::RegisterWorkerRequest* request,
    dispatch::v1::RegisterWorkerResponse* response) {
  return RunUnary(context, rpc_, Rpc::kRegisterWorker,
                  [this, request, response](Call& call) -> absl::Status {
                    call.resource = request->worker_id();
                    SASQ_ASSIGN_OR_RETURN(*response, leases_.RegisterWorker(*request));
                    return absl::OkStatus();
                  });
}

grpc::ServerUnaryReactor* DispatchServiceImpl::LeaseTask(
    grpc::CallbackServerContext* context, const dispatch::v1::LeaseTaskRequest* request,
    dispatch::v1::LeaseTaskResponse* response) {
  const auto call = std::make_shared<LeaseCall>(leases_, queue_, parts_, rpc_, *request, *response,
                                                lease_call_count_);
  call->Start(*context, *request);
  return call.get();
}

grpc::ServerUnaryReactor* DispatchServiceImpl::Heartbeat(
    grpc::CallbackServerContext* context, const dispatch::v1::HeartbeatRequest* request,
    dispatch::v1::HeartbeatResponse* response) {
  return RunUnary(context, rpc_, Rpc::kHeartbeat, [this, request, response](Call&) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(*response, leases_.Heartbeat(*request));
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* DispatchServiceImpl::CompleteTask(
    grpc::CallbackServerContext* context, const dispatch::v1::CompleteTaskRequest* request,
    dispatch::v1::CompleteTaskResponse* response) {
  return RunUnary(context, rpc_, Rpc::kCompleteTask, [this, request](Call& call) {
    call.resource = request->job();
    return leases_.CompleteTask(*request);
  });
}

}  // namespace sasq
