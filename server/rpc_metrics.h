// Counts and times every RPC, whatever its service.
#ifndef SASQ_SERVER_RPC_METRICS_H_
#define SASQ_SERVER_RPC_METRICS_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "server/server_metrics.h"

namespace sasq {

// For grpc::ServerBuilder. `metrics` outlives the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeRpcMetrics(
    ServerMetrics& metrics);

// "OK", "NOT_FOUND" ...: a gRPC code in words.
const char* GrpcCodeName(int code);

}  // namespace sasq

#endif  // SASQ_SERVER_RPC_METRICS_H_
