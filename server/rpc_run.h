// Runs the work of unary RPCs: through the gate, then on an executor, so that gRPC's own threads
// never wait for a store.
#ifndef SASQ_SERVER_RPC_RUN_H_
#define SASQ_SERVER_RPC_RUN_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "common/executor.h"
#include "common/rpc_status.h"
#include "server/access/access_gate.h"
#include "server/server_status.h"

namespace sasq {

// What every handler needs. Both outlive the handlers.
struct RpcParts {
  AccessGate& gate;
  Executor& executor;
};

// Finishes the call with the status of the gate, or else of `work`, which gets the Call to know who
// asks, and names the resource that it changes.
template <typename Work>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, const RpcParts& parts,
                                   Rpc rpc, Work work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  parts.gate.Admit(*context, rpc, [reactor, parts, work](absl::StatusOr<Call> call) {
    if (!call.ok()) return reactor->Finish(ToGrpcStatus(call.status()));
    const bool accepted = parts.executor.TrySubmit(
        [reactor, gate = &parts.gate, call = *std::move(call), work]() mutable {
          const LogScope scope = call.NameInLog();
          const absl::Status status = work(call);
          gate->Audit(call, status);
          call.EndSpan(status);
          reactor->Finish(ToGrpcStatus(status));
        });
    if (!accepted) reactor->Finish(ToGrpcStatus(ServerBusyStatus()));
  });
  return reactor;
}

}  // namespace sasq

#endif  // SASQ_SERVER_RPC_RUN_H_
