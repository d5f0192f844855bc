#include "client/settings.h"

#include <yaml-cpp/yaml.h>

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/file.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int64_t kMaxConfigBytes = 64 << 10;
constexpr char kDefaultPort[] = ":7433";
constexpr char kEndpointKey[] = "endpoint";

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<std::string> EndpointOfConfig(const std::string& text, const std::string& path) {
  try {
    const YAML::Node config = YAML::Load(text);
    if (config.IsNull()) return "";
    if (!config.IsMap()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is not a mapping, want a line `endpoint: HOST:PORT`"));
    }
    std::string endpoint;
    for (const auto& entry : config) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "(not a name)";
      if (key != kEndpointKey) {
        return absl::InvalidArgumentError(
            absl::StrFormat("%s:%d: %s is not a known setting, want endpoint", path,
                            entry.first.Mark().line + 1, key));
      }
      if (!entry.second.IsScalar()) {
        return absl::InvalidArgumentError(
            absl::StrCat(path, ": endpoint is not a single value, want HOST:PORT"));
      }
      endpoint = entry.second.Scalar();
    }
    return endpoint;
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s:%d: not valid YAML: %s", path, error.mark.line + 1, error.msg));
  }
}

absl::StatusOr<std::string> ConfiguredEndpoint() {
  std::string path = Environment("SASQ_CONFIG");
  const bool was_asked_for = !path.empty();
  if (!was_asked_for) {
    const std::string home = Environment("HOME");
    if (home.empty()) return "";
    path = home + "/.config/sasq/config.yaml";
  }
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (absl::IsNotFound(text.status()) && !was_asked_for) return "";
  if (!text.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the config file cannot be used: ", text.status().message()));
  }
  return EndpointOfConfig(*text, path);
}

}  // namespace

absl::StatusOr<std::string> ResolveEndpoint(const std::string& flag) {
  std::string endpoint = flag.empty() ? Environment("SASQ_ENDPOINT") : flag;
  if (endpoint.empty()) {
    SASQ_ASSIGN_OR_RETURN(endpoint, ConfiguredEndpoint());
  }
  if (endpoint.empty()) endpoint = kDefaultEndpoint;
  if (!absl::StrContains(endpoint, ':')) endpoint += kDefaultPort;
  return endpoint;
}

}  // namespace sasq
