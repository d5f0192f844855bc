// Adds common/answer_headers.h to every answer, whatever its service.
#ifndef SASQ_SERVER_RPC_HEADERS_H_
#define SASQ_SERVER_RPC_HEADERS_H_

#include <grpcpp/support/server_interceptor.h>

#include <memory>

#include "common/clock.h"

namespace sasq {

// For grpc::ServerBuilder. `clock` outlives the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeRpcHeaders(
    const Clock& clock);

}  // namespace sasq

#endif  // SASQ_SERVER_RPC_HEADERS_H_
