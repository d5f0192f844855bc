// What a command line asked for, as plain data.
#ifndef SASQ_CLIENT_OPTIONS_H_
#define SASQ_CLIENT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "client/spec_flags.h"
#include "client/terminal.h"

namespace sasq {

enum class OutputFormat { kTable, kJson, kYaml };

// Flags that every command knows.
struct GlobalOptions {
  std::string endpoint;  // empty: from the environment or the config file
  OutputFormat output = OutputFormat::kTable;
  ColorMode color = ColorMode::kAuto;
  bool quiet = false;
  absl::Duration call_timeout = absl::Seconds(30);
  absl::Duration reconnect_timeout = absl::Minutes(5);
};

// One struct for each command. `job`: as ResolveJobName reads it.
struct SubmitOptions {
  SpecArguments spec;
  std::string request_id;
  bool wait = false;
};
struct CompareOptions {
  SpecArguments spec;
  std::string request_id;
  bool detach = false;
};
struct PlanOptions {
  SpecArguments spec;
};
struct GetOptions {
  std::string job;
};
struct ListOptions {
  std::vector<std::string> states;  // short or full names; empty: all
  int limit = 50;
};
struct WatchOptions {
  std::string job;
};
struct WaitOptions {
  std::string job;
  absl::Duration timeout = absl::InfiniteDuration();
};
struct LogsOptions {
  std::string job;
  bool follow = false;
};
struct CancelOptions {
  std::string job;
  bool wait = false;
};
struct DeleteOptions {
  std::string job;
};
struct ArtifactsOptions {
  std::string job;
};
struct DownloadOptions {
  std::string job;
  std::string folder = ".";
  std::vector<std::string> files;  // empty: all
  bool force = false;
};
struct ExportCommandOptions {
  std::string source;  // a scale pack, a folder with one, or a job
  std::string model_folder;
  std::string out_folder;
  int64_t max_shard_bytes = 0;  // 0: the default
  std::string target;           // transformers, vllm or sglang; empty: none
  std::string device;           // as ParseServingDevice reads it; empty: any
  bool force = false;
};
struct WorkersOptions {};
struct VersionOptions {};

using CommandOptions =
    std::variant<SubmitOptions, CompareOptions, PlanOptions, GetOptions, ListOptions, WatchOptions,
                 WaitOptions, LogsOptions, CancelOptions, DeleteOptions, ArtifactsOptions,
                 DownloadOptions, ExportCommandOptions, WorkersOptions, VersionOptions>;

}  // namespace sasq

#endif  // SASQ_CLIENT_OPTIONS_H_
