// Where the service is, by flag, environment or config file.
#ifndef SASQ_CLIENT_SETTINGS_H_
#define SASQ_CLIENT_SETTINGS_H_

#include <string>

#include "absl/status/statusor.h"

namespace sasq {

inline constexpr char kDefaultEndpoint[] = "127.0.0.1:7433";

// The first that is not empty of: `flag`, $SASQ_ENDPOINT, the key `endpoint` of the config file,
// kDefaultEndpoint. A host without a port gets the default one. The config file is $SASQ_CONFIG,
// else $HOME/.config/sasq/config.yaml where that exists. INVALID_ARGUMENT if it cannot be read or
// has another key.
absl::StatusOr<std::string> ResolveEndpoint(const std::string& flag);

}  // namespace sasq

#endif  // SASQ_CLIENT_SETTINGS_H_
