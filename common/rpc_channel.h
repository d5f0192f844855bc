// How a program of SASQ reaches the coordinator: with or without TLS, with or without a token.
#ifndef SASQ_COMMON_RPC_CHANNEL_H_
#define SASQ_COMMON_RPC_CHANNEL_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/tls_files.h"

namespace grpc {
class Channel;
class ChannelArguments;
}  // namespace grpc

namespace sasq {

struct RpcSecurity {
  bool tls = false;        // also where `files` names something; without authorities: the system's
  TlsFiles files;          // a certificate is for servers that ask for one (mutual TLS)
  std::string token;       // bearer token; empty: none
  std::string token_file;  // holds it instead, and is read again for every call

  bool uses_tls() const {
    return tls || !files.authorities.empty() || !files.certificate.empty() || !files.key.empty();
  }
};

// A connection to `endpoint` (host:port), made at its first call. Every call carries the token.
// INVALID_ARGUMENT if a token would go to another machine without TLS, or a file is wrong as of
// CheckTlsFiles.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeRpcChannel(
    const std::string& endpoint, const RpcSecurity& security,
    const grpc::ChannelArguments& arguments);

}  // namespace sasq

#endif  // SASQ_COMMON_RPC_CHANNEL_H_
