#include "common/rpc_channel.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/address.h"
#include "common/file.h"
#include "common/log.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

using grpc::experimental::InterceptionHookPoints;

constexpr int64_t kMaxTokenBytes = 4096;

absl::StatusOr<std::string> ReadToken(const RpcSecurity& security) {
  if (security.token_file.empty()) return security.token;
  SASQ_ASSIGN_OR_RETURN(const std::string text, ReadFile(security.token_file, kMaxTokenBytes));
  return std::string(absl::StripAsciiWhitespace(text));
}

// Adds the token to what a call sends first. gRPC's own call credentials want TLS on loopback too.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(const RpcSecurity& security) : security_(security) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      const absl::StatusOr<std::string> token = ReadToken(security_);
      if (token.ok()) {
        methods->GetSendInitialMetadata()->insert({"authorization", "Bearer " + *token});
      } else {  // the service answers that it wants one
        LogWarning("token_not_read", {{"error", token.status()}});
      }
    }
    methods->Proceed();
  }

 private:
  const RpcSecurity& security_;
};

class TokenInterceptorFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(RpcSecurity security) : security_(std::move(security)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(security_);
  }

 private:
  const RpcSecurity security_;
};

// Without authorities gRPC takes the system's. The server's name is checked by default.
std::shared_ptr<grpc::ChannelCredentials> TlsCredentials(const TlsFiles& files) {
  grpc::experimental::TlsChannelCredentialsOptions options;
  if (!files.authorities.empty() || !files.certificate.empty()) {
    options.set_certificate_provider(
        std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
            files.key, files.certificate, files.authorities, kTlsReloadSeconds));
    if (!files.authorities.empty()) options.watch_root_certs();
    if (!files.certificate.empty()) options.watch_identity_key_cert_pairs();
  }
  return grpc::experimental::TlsCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeRpcChannel(
    const std::string& endpoint, const RpcSecurity& security,
    const grpc::ChannelArguments& arguments) {
  SASQ_RETURN_IF_ERROR(CheckTlsFiles(security.files));
  SASQ_ASSIGN_OR_RETURN(const std::string token, ReadToken(security));
  if (!token.empty() && !security.uses_tls() && !IsLoopbackAddress(endpoint)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the token would go to ", endpoint, " in the clear; connect with TLS, or to this machine"));
  }
  const std::shared_ptr<grpc::ChannelCredentials> credentials =
      security.uses_tls() ? TlsCredentials(security.files) : grpc::InsecureChannelCredentials();
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!token.empty()) interceptors.push_back(std::make_unique<TokenInterceptorFactory>(security));
  return grpc::experimental::CreateCustomChannelWithInterceptors(endpoint, credentials, arguments,
                                                                 std::move(interceptors));
}

}  // namespace sasq
