#include "worker/source_options.h"

#include <string>

#include "common/environment.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

std::string DefaultCacheFolder() {
  const std::string cache = EnvironmentOr({"XDG_CACHE_HOME"}, "");
  if (!cache.empty()) return cache + "/sasq";
  const std::string home = EnvironmentOr({"HOME"}, "");
  return home.empty() ? "" : home + "/.cache/sasq";
}

}  // namespace

SourceFetcher::Options SourceOptionsOfEnvironment() {
  SourceFetcher::Options options;
  options.hub.endpoint = EnvironmentOr({"HF_ENDPOINT"}, options.hub.endpoint);
  options.hub.token = EnvironmentOr({"HF_TOKEN"}, "");
  options.s3 = S3OptionsOfEnvironment();
  options.cache.folder = DefaultCacheFolder();
  return options;
}

absl::Status CheckSourceOptions(SourceFetcher::Options& options) {
  SASQ_RETURN_IF_ERROR(CheckHttpEndpoint("--hf_endpoint", options.hub.endpoint));
  return CheckHttpEndpoint("--s3_endpoint", options.s3.endpoint);
}

}  // namespace sasq
