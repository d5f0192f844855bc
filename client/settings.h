// Where the service is and how it is reached, by flag, environment or config file.
#ifndef SASQ_CLIENT_SETTINGS_H_
#define SASQ_CLIENT_SETTINGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/rpc_channel.h"

namespace sasq {

inline constexpr char kDefaultEndpoint[] = "127.0.0.1:7433";

struct ConnectionSettings {
  std::string endpoint;  // host:port; empty in flags: not said
  RpcSecurity security;
};

// Each of its own: the first that says something of `flags`, the environment (SASQ_ENDPOINT,
// SASQ_TLS=1, SASQ_TLS_CA, SASQ_TLS_CERT, SASQ_TLS_KEY, SASQ_TOKEN, SASQ_TOKEN_FILE) and the config
// file (endpoint, tls, tls_ca, tls_cert, tls_key, token, token_file); the endpoint is
// kDefaultEndpoint otherwise. A host without a port gets the default one. The config file is
// $SASQ_CONFIG, else $HOME/.config/sasq/config.yaml where that exists; its token is for its
// endpoint alone. INVALID_ARGUMENT if it cannot be read or has another key.
absl::StatusOr<ConnectionSettings> ResolveConnection(const ConnectionSettings& flags);

}  // namespace sasq

#endif  // SASQ_CLIENT_SETTINGS_H_
