#include "client/settings.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <iterator>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxConfigBytes = 64 << 10;
constexpr char kDefaultPort[] = ":7433";
constexpr const char* kKeys[] = {"endpoint", "tls",   "tls_ca",    "tls_cert",
                                 "tls_key",  "token", "token_file"};

// The settings of the config file that are there, by key.
using Config = std::map<std::string, std::string>;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<Config> ParseConfig(const std::string& text, const std::string& path) {
  try {
    const YAML::Node root = YAML::Load(text);
    Config config;
    if (root.IsNull()) return config;
    if (!root.IsMap()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is not a mapping, want lines such as `endpoint: HOST:PORT`"));
    }
    for (const auto& entry : root) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "(not a name)";
      if (std::find(std::begin(kKeys), std::end(kKeys), key) == std::end(kKeys)) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s:%d: %s is not a known setting, want one of %s", path,
                            entry.first.Mark().line + 1, key, absl::StrJoin(kKeys, ", ")));
      }
      if (!entry.second.IsScalar()) {
        return absl::InvalidArgumentError(absl::StrCat(path, ": ", key, " is not a single value"));
      }
      config[key] = entry.second.Scalar();
    }
    return config;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d: not valid YAML: %s", path, error.mark.line + 1, error.msg));
  }
}

absl::StatusOr<Config> ReadConfig() {
  std::string path = Environment("SASQ_CONFIG");
  const bool was_asked_for = !path.empty();
  if (!was_asked_for) {
    const std::string home = Environment("HOME");
    if (home.empty()) return Config();
    path = home + "/.config/sasq/config.yaml";
  }
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (absl::IsNotFound(text.status()) && !was_asked_for) return Config();
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the config file cannot be used: ", text.status().message()));
  }
  return ParseConfig(*text, path);
}

// The first of them that is not empty.
std::string FirstOf(std::initializer_list<std::string> values) {
  for (const std::string& value : values) {
    if (!value.empty()) return value;
  }
  return "";
}

std::string WithPort(std::string endpoint) {
  if (!absl::StrContains(endpoint, ':')) endpoint += kDefaultPort;
  return endpoint;
}

absl::StatusOr<bool> ReadSwitch(const std::string& name, const std::string& text) {
  if (text.empty() || text == "0" || text == "false") return false;
  if (text == "1" || text == "true") return true;
  return absl::InvalidArgumentError(absl::StrCat(name, " is \"", text, "\", want true or false"));
}

void ResolveToken(const RpcSecurity& flags, const Config& config, RpcSecurity& security) {
  const auto in_config = [&config](const char* key) {
    const auto found = config.find(key);
    return found == config.end() ? std::string() : found->second;
  };
  security.token_file = flags.token_file;
  if (!security.token_file.empty()) return;
  security.token = Environment("SASQ_TOKEN");
  if (!security.token.empty()) return;
  security.token_file = Environment("SASQ_TOKEN_FILE");
  if (!security.token_file.empty()) return;
  security.token = in_config("token");
  if (security.token.empty()) security.token_file = in_config("token_file");
}

}  // namespace

absl::StatusOr<ConnectionSettings> ResolveConnection(const ConnectionSettings& flags) {
  SASQ_ASSIGN_OR_RETURN(Config config, ReadConfig());
  ConnectionSettings settings;
  settings.endpoint = WithPort(FirstOf(
      {flags.endpoint, Environment("SASQ_ENDPOINT"), config["endpoint"], kDefaultEndpoint}));
  RpcSecurity& security = settings.security;
  SASQ_ASSIGN_OR_RETURN(const bool tls_in_environment,
                        ReadSwitch("SASQ_TLS", Environment("SASQ_TLS")));
  SASQ_ASSIGN_OR_RETURN(const bool tls_in_config, ReadSwitch("tls", config["tls"]));
  security.tls = flags.security.tls || tls_in_environment || tls_in_config;
  const TlsFiles& files = flags.security.files;
  security.files.authorities =
      FirstOf({files.authorities, Environment("SASQ_TLS_CA"), config["tls_ca"]});
  security.files.certificate =
      FirstOf({files.certificate, Environment("SASQ_TLS_CERT"), config["tls_cert"]});
  security.files.key = FirstOf({files.key, Environment("SASQ_TLS_KEY"), config["tls_key"]});
  // Somebody else's service is not shown the token of the one in the file.
  if (!config["endpoint"].empty() && WithPort(config["endpoint"]) != settings.endpoint) {
    config.erase("token");
    config.erase("token_file");
  }
  ResolveToken(flags.security, config, security);
  return settings;
}

}  // namespace sasq
