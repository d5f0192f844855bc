#include "server/rpc_metrics.h"

#include <grpcpp/support/interceptor.h>

#include <string>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/clock.h"

namespace sasq {
namespace {

using grpc::experimental::InterceptionHookPoints;

// Lives as long as its RPC.
class RpcMetricsInterceptor final : public grpc::experimental::Interceptor {
 public:
  RpcMetricsInterceptor(ServerMetrics& metrics, const grpc::experimental::ServerRpcInfo& info)
      : metrics_(metrics),
        is_stream_(info.type() != grpc::experimental::ServerRpcInfo::Type::UNARY) {
    absl::string_view method = info.method();
    absl::ConsumePrefix(&method, "/");
    method_ = std::string(method);
    if (is_stream_) metrics_.StreamOpened(method_, 1);
  }

  ~RpcMetricsInterceptor() override {
    if (is_stream_) metrics_.StreamOpened(method_, -1);
  }

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_STATUS)) {
      metrics_.RpcEnded(method_, GrpcCodeName(methods->GetSendStatus().error_code()),
                        absl::Seconds(stopwatch_.Seconds()));
    }
    methods->Proceed();
  }

 private:
  ServerMetrics& metrics_;
  const bool is_stream_;
  const Stopwatch stopwatch_;
  std::string method_;
};

class RpcMetricsFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit RpcMetricsFactory(ServerMetrics& metrics) : metrics_(metrics) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* info) override {
    return new RpcMetricsInterceptor(metrics_, *info);
  }

 private:
  ServerMetrics& metrics_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeRpcMetrics(
    ServerMetrics& metrics) {
  return std::make_unique<RpcMetricsFactory>(metrics);
}

const char* GrpcCodeName(int code) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  constexpr int kCount = sizeof(kNames) / sizeof(kNames[0]);
  return code >= 0 && code < kCount ? kNames[code] : "UNKNOWN";
}

}  // namespace sasq
