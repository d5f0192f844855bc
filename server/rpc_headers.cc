#include "server/rpc_headers.h"

#include <grpcpp/support/interceptor.h>

#include <string>

#include "absl/time/time.h"
#include "common/answer_headers.h"
#include "common/metrics.h"

namespace sasq {
namespace {

using grpc::experimental::InterceptionHookPoints;

class RpcHeadersInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit RpcHeadersInterceptor(const Clock& clock) : clock_(clock) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      auto* headers = methods->GetSendInitialMetadata();
      headers->emplace(kVersionHeader, std::string(Version()));
      headers->emplace(kDateHeader,
                       absl::FormatTime(kDateHeaderFormat, clock_.Now(), absl::UTCTimeZone()));
    }
    methods->Proceed();
  }

 private:
  const Clock& clock_;
};

class RpcHeadersFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit RpcHeadersFactory(const Clock& clock) : clock_(clock) {}
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* /*info*/) override {
    return new RpcHeadersInterceptor(clock_);
  }

 private:
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> MakeRpcHeaders(
    const Clock& clock) {
  return std::make_unique<RpcHeadersFactory>(clock);
}

}  // namespace sasq
