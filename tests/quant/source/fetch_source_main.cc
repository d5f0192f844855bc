// Fetches one source and tells what came of it, as JSON on standard output: for the tests in
// Python. It does not sleep: waits are told. With `hold=1` it keeps what it fetched until standard
// input ends.
//
// usage: fetch_source model|text URI [NAME=VALUE...]
#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "common/file.h"
#include "common/sha256.h"
#include "quant/source/source_fetcher.h"

namespace sasq {
namespace {

using Settings = std::map<std::string, std::string>;

// Notes waits. Those for another process (1 s) let that one run.
class ToldPause final : public Pause {
 public:
  void For(absl::Duration duration, const std::stop_token&) override {
    waits.push_back(absl::ToDoubleSeconds(duration));
    std::this_thread::yield();
  }
  std::vector<double> waits;
};

SourceFetcher::Options MakeOptions(const Settings& settings, Pause& pause) {
  const auto get = [&](const std::string& name, const std::string& otherwise) {
    const auto found = settings.find(name);
    return found == settings.end() ? otherwise : found->second;
  };
  SourceFetcher::Options options;
  options.roots = AllowedRoots::Create({get("root", "/")}).value();
  options.cache.folder = get("cache", "");
  (void)absl::SimpleAtoi(get("max_bytes", "1000000000"), &options.cache.max_bytes);
  options.hub.endpoint = get("hub", "");
  options.hub.token = get("token", "");
  options.hub.limits.stall_timeout = absl::Seconds(1);
  options.s3.endpoint = get("s3", "");
  options.s3.limits = options.hub.limits;
  if (settings.count("key") > 0) {
    options.s3.signing =
        AwsSigning{get("key", ""), get("secret", ""), get("session", ""), "us-east-1"};
  }
  options.pause = &pause;
  return options;
}

nlohmann::json Describe(const FetchedSource& source) {
  nlohmann::json files = nlohmann::json::object();
  const auto add = [&files](const std::filesystem::path& path) {
    files[path.filename().string()] = Sha256Hex(ReadFile(path.string(), 1 << 30).value());
  };
  if (std::filesystem::is_directory(source.path)) {
    for (const auto& entry : std::filesystem::directory_iterator(source.path)) {
      if (entry.path().filename() != ".lock") add(entry.path());
    }
  } else {
    add(source.path);
  }
  return {{"path", source.path}, {"uri", source.resolved_uri}, {"files", files}};
}

int Main(int argc, char** argv) {
  if (argc < 3) return 2;
  Settings settings;
  for (int i = 3; i < argc; ++i) {
    settings.insert(absl::StrSplit(argv[i], absl::MaxSplits('=', 1)));
  }
  ToldPause pause;
  nlohmann::json told = {{"log", nlohmann::json::array()}};
  SourceFetcher fetcher(MakeOptions(settings, pause));
  const SourceKind kind = std::string(argv[1]) == "model" ? SourceKind::kModel : SourceKind::kText;
  const absl::StatusOr<FetchedSource> source =
      fetcher.Fetch(argv[2], kind, {}, std::stop_token(),
                    [&told](absl::string_view line) { told["log"].push_back(std::string(line)); });
  told["code"] = absl::StatusCodeToString(source.status().code());
  told["message"] = std::string(source.status().message());
  told["waits"] = pause.waits;
  if (source.ok()) told.update(Describe(*source));
  std::printf("%s\n", told.dump().c_str());
  std::fflush(stdout);
  while (settings.count("hold") > 0 && std::getchar() != EOF) continue;
  return 0;
}

}  // namespace
}  // namespace sasq

int main(int argc, char** argv) { return sasq::Main(argc, argv); }
