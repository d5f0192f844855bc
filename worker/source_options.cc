#include "worker/source_options.h"

#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// The first of the variables that is set and not empty.
std::string Environment(std::initializer_list<const char*> names, const std::string& otherwise) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') return value;
  }
  return otherwise;
}

std::string DefaultCacheFolder() {
  const std::string cache = Environment({"XDG_CACHE_HOME"}, "");
  if (!cache.empty()) return cache + "/sasq";
  const std::string home = Environment({"HOME"}, "");
  return home.empty() ? "" : home + "/.cache/sasq";
}

absl::Status CheckEndpoint(const char* flag, std::string& endpoint) {
  absl::string_view rest = endpoint;
  while (absl::ConsumeSuffix(&rest, "/")) continue;
  endpoint = std::string(rest);
  const bool is_http =
      absl::StartsWith(endpoint, "http://") || absl::StartsWith(endpoint, "https://");
  if (is_http && !absl::StrContains(endpoint, "?") && !absl::StrContains(endpoint, "@")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(
      flag, " is not `https://HOST` or `http://HOST:PORT`; credentials come from the environment"));
}

}  // namespace

SourceFetcher::Options SourceOptionsOfEnvironment() {
  SourceFetcher::Options options;
  options.hub.endpoint = Environment({"HF_ENDPOINT"}, options.hub.endpoint);
  options.hub.token = Environment({"HF_TOKEN"}, "");
  const std::string region = Environment({"AWS_REGION", "AWS_DEFAULT_REGION"}, "us-east-1");
  options.s3.endpoint =
      Environment({"AWS_ENDPOINT_URL"}, absl::StrCat("https://s3.", region, ".amazonaws.com"));
  AwsSigning signing;
  signing.access_key_id = Environment({"AWS_ACCESS_KEY_ID"}, "");
  signing.secret_access_key = Environment({"AWS_SECRET_ACCESS_KEY"}, "");
  signing.session_token = Environment({"AWS_SESSION_TOKEN"}, "");
  signing.region = region;
  if (!signing.access_key_id.empty()) options.s3.signing = signing;
  options.cache.folder = DefaultCacheFolder();
  return options;
}

absl::Status CheckSourceOptions(SourceFetcher::Options& options) {
  SASQ_RETURN_IF_ERROR(CheckEndpoint("--hf_endpoint", options.hub.endpoint));
  return CheckEndpoint("--s3_endpoint", options.s3.endpoint);
}

}  // namespace sasq
