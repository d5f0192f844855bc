// Runs the work of unary RPCs on an executor, so that gRPC's own threads never wait for a store.
#ifndef SASQ_SERVER_RPC_RUN_H_
#define SASQ_SERVER_RPC_RUN_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/status.h"
#include "common/executor.h"
#include "common/rpc_status.h"
#include "server/server_status.h"

namespace sasq {

// Finishes the call with the status that `work` returns.
template <typename Work>
grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* context, Executor& executor,
                                   Work work) {
  grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
  const bool accepted = executor.TrySubmit(
      [reactor, work = std::move(work)] { reactor->Finish(ToGrpcStatus(work())); });
  if (!accepted) reactor->Finish(ToGrpcStatus(ServerBusyStatus()));
  return reactor;
}

}  // namespace sasq

#endif  // SASQ_SERVER_RPC_RUN_H_
