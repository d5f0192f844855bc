// What a command line asked for, as plain data.
#ifndef SASQ_CLIENT_OPTIONS_H_
#define SASQ_CLIENT_OPTIONS_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "client/settings.h"
#include "client/spec_flags.h"
#include "client/terminal.h"

namespace sasq {

enum class OutputFormat { kTable, kJson, kYaml, kMarkdown };

// Flags that every command knows.
struct GlobalOptions {
  ConnectionSettings connection;  // what is empty: from the environment or the config file
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
  // Not empty: two results to show side by side, each a job, a folder or a report.json. Then only
  // `row` counts of what follows.
  std::vector<std::string> results;
  std::string row;  // of both reports; empty: the one that each artifact holds
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
// `job_or_folder`: a job, or the folder of an artifact's files.
struct VerifyOptions {
  std::string job_or_folder;
  std::string model_folder;        // empty: not looked at
  std::vector<std::string> texts;  // files
  std::string attestation;         // file; empty: none
  std::string public_key;          // PEM file; with an attestation
};
struct SignOptions {
  std::string job_or_folder;
  std::string key;  // PEM file
  std::string out;  // empty: beside the files of a folder, in the present one for a job
  bool force = false;
};
struct GateOptions {
  std::string job;
  std::vector<std::string> gates;  // as ParseGate reads them; empty: those of the job's spec
  std::string row;                 // empty: that of the job's recipe
  absl::Duration max_age = absl::InfiniteDuration();  // since the job ended
  std::string junit;                                  // file to write; empty: none
};
enum class ReportFormat { kMarkdown, kHtml, kJson };
struct ReportOptions {
  std::string job_or_folder;
  ReportFormat format = ReportFormat::kMarkdown;
};
struct DownloadOptions {
  std::string job;
  std::string folder = ".";
  std::vector<std::string> files;  // empty: all
  bool force = false;
  bool so_far = false;  // the scales of a job that is in training
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
struct HealthOptions {
  std::string service;          // full name of one of the server's; empty: all of it
  std::string metrics_address;  // ask the metrics page of this host:port instead
};
struct DoctorOptions {};
struct TopOptions {
  bool once = false;  // one snapshot, also on a terminal
  absl::Duration interval = absl::Seconds(2);
};
enum class Shell { kBash, kZsh, kFish };
struct CompletionOptions {
  Shell shell = Shell::kBash;
};
enum class ManFormat { kMan, kMarkdown };
struct ManOptions {
  ManFormat format = ManFormat::kMan;
};
struct VersionOptions {};

using CommandOptions =
    std::variant<SubmitOptions, CompareOptions, PlanOptions, GetOptions, ListOptions, WatchOptions,
                 WaitOptions, LogsOptions, CancelOptions, DeleteOptions, ArtifactsOptions,
                 VerifyOptions, SignOptions, GateOptions, DownloadOptions, ExportCommandOptions,
                 ReportOptions, WorkersOptions, HealthOptions, DoctorOptions, TopOptions,
                 CompletionOptions, ManOptions, VersionOptions>;

}  // namespace sasq

#endif  // SASQ_CLIENT_OPTIONS_H_
