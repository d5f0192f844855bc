#include "worker/dispatch_client.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/channel_arguments.h>

#include "common/rpc_status.h"
#include "common/trace.h"

namespace sasq {
namespace {

using dispatch::v1::CompleteTaskRequest;
using dispatch::v1::CompleteTaskResponse;
using dispatch::v1::DispatchService;
using dispatch::v1::HeartbeatRequest;
using dispatch::v1::HeartbeatResponse;
using dispatch::v1::LeaseTaskRequest;
using dispatch::v1::LeaseTaskResponse;
using dispatch::v1::RegisterWorkerRequest;
using dispatch::v1::RegisterWorkerResponse;

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeCoordinatorChannel(
    const std::string& coordinator, const RpcSecurity& security) {
  grpc::ChannelArguments arguments;
  // Longer than a long poll, so that a healthy connection is never probed.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  // A restarted coordinator is found again within seconds.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 3'000);
  // The fleet's own network: an http_proxy in the environment is meant for others.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return MakeRpcChannel(coordinator, security, arguments);
}

namespace {

void SetDeadline(absl::Duration timeout, grpc::ClientContext* context) {
  context->set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout));
}

}  // namespace

DispatchClient::DispatchClient(const Options& options)
    : options_(options), stub_(DispatchService::NewStub(options.channel)) {}

absl::StatusOr<RegisterWorkerResponse> DispatchClient::RegisterWorker(
    const RegisterWorkerRequest& request) {
  grpc::ClientContext context;
  SetDeadline(options_.call_timeout, &context);
  RegisterWorkerResponse response;
  const grpc::Status status = stub_->RegisterWorker(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::StatusOr<LeaseTaskResponse> DispatchClient::LeaseTask(const LeaseTaskRequest& request) {
  grpc::ClientContext context;
  SetDeadline(options_.call_timeout + absl::Seconds(request.wait().seconds()) +
                  absl::Nanoseconds(request.wait().nanos()),
              &context);
  if (request.has_wait()) {
    MutexLock lock(&mutex_);
    if (lease_aborted_) return absl::CancelledError("the worker takes no more tasks");
    lease_context_ = &context;
  }
  LeaseTaskResponse response;
  const grpc::Status status = stub_->LeaseTask(&context, request, &response);
  {
    MutexLock lock(&mutex_);
    lease_context_ = nullptr;
  }
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::StatusOr<HeartbeatResponse> DispatchClient::Heartbeat(const HeartbeatRequest& request) {
  grpc::ClientContext context;
  SetDeadline(options_.call_timeout, &context);
  HeartbeatResponse response;
  const grpc::Status status = stub_->Heartbeat(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::Status DispatchClient::CompleteTask(const CompleteTaskRequest& request,
                                          absl::Duration timeout, const std::string& traceparent) {
  grpc::ClientContext context;
  context.AddMetadata(kTraceparentHeader, traceparent);
  SetDeadline(timeout, &context);
  CompleteTaskResponse response;
  return FromGrpcStatus(stub_->CompleteTask(&context, request, &response));
}

void DispatchClient::AbortLease() {
  MutexLock lock(&mutex_);
  lease_aborted_ = true;
  if (lease_context_ != nullptr) lease_context_->TryCancel();
}

}  // namespace sasq
