#include "client/commands/export.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/download.h"
#include "client/job_name.h"
#include "client/live_region.h"
#include "client/progress.h"
#include "client/proto_output.h"
#include "client/text.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/uid.h"
#include "quant/artifact/report.h"
#include "quant/artifact/scale_pack.h"
#include "quant/export/compressed_tensors.h"
#include "quant/export/engine.h"
#include "quant/export/model_card.h"

namespace sasq {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kRedrawPeriod = absl::Milliseconds(100);
constexpr int kBarColumns = 30;
constexpr int64_t kMaxReportBytes = 256'000'000;

struct Source {
  ScalePack pack;
  std::string report_json;  // empty: none
};

// The local disk and what lies on it: the service has no part in it, so no code that blames it.
absl::Status LocalError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kCancelled:
      return status;
    case absl::StatusCode::kUnimplemented:  // a pack of a newer format
      return absl::InvalidArgumentError(status.message());
    default:
      return absl::FailedPreconditionError(status.message());
  }
}

absl::StatusOr<Source> ReadSource(const CommandContext& context, const fs::path& pack_path) {
  Source source;
  absl::StatusOr<ScalePack> pack = LoadScalePack(pack_path.string());
  if (!pack.ok()) return LocalError(pack.status());
  source.pack = *std::move(pack);
  const std::string report_path = pack_path.parent_path() / kReportJsonFileName;
  absl::StatusOr<std::string> report = ReadFile(report_path, kMaxReportBytes);
  if (absl::IsNotFound(report.status())) {
    context.console.Note(
        absl::StrCat("there is no ", report_path, ": the model card will have no numbers"));
  } else if (!report.ok()) {
    return LocalError(report.status());
  } else if (!IsReportOf(*report, source.pack)) {
    context.console.Note(absl::StrCat(report_path,
                                      " is of another job than the pack: the model card will have "
                                      "no numbers"));
  } else {
    source.report_json = *std::move(report);
  }
  return source;
}

// A folder that is gone when the command ends.
class ScratchFolder {
 public:
  ScratchFolder() : path_(fs::temp_directory_path() / absl::StrCat("sasq-export-", NewUid())) {}
  ~ScratchFolder() {
    std::error_code unused;
    fs::remove_all(path_, unused);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const fs::path& path() const { return path_; }

 private:
  const fs::path path_;
};

absl::StatusOr<Source> DownloadSource(const CommandContext& context, const std::string& typed) {
  SASQ_ASSIGN_OR_RETURN(const std::string job, ResolveJobName(context.client, typed));
  SASQ_ASSIGN_OR_RETURN(const v1::Artifact artifact, context.client.GetArtifact(job));
  const ScratchFolder scratch;
  if (const absl::Status made = MakeFolders(scratch.path()); !made.ok()) return LocalError(made);
  Reconnector reconnector =
      context.MakeReconnector([&](const std::string& line) { context.console.Note(line); });
  bool has_pack = false;
  for (const v1::Blob& blob : artifact.blobs()) {
    if (blob.file_name() != kScalePackFileName && blob.file_name() != kReportJsonFileName) continue;
    SASQ_RETURN_IF_ERROR(CheckBlob(blob));
    SASQ_RETURN_IF_ERROR(DownloadFile(context.client, blob, scratch.path() / blob.file_name(),
                                      reconnector, [](int64_t) {}));
    has_pack |= blob.file_name() == kScalePackFileName;
  }
  if (!has_pack) {
    return absl::InvalidArgumentError(absl::StrCat(
        job, " has no scale pack: a comparison leaves none; submit the row that you want"));
  }
  return ReadSource(context, scratch.path() / kScalePackFileName);
}

// A file or folder that is there, or else a job.
absl::StatusOr<Source> FindSource(const CommandContext& context, const std::string& typed) {
  std::error_code error;
  if (fs::is_directory(typed, error))
    return ReadSource(context, fs::path(typed) / kScalePackFileName);
  if (fs::exists(typed, error)) return ReadSource(context, typed);
  const bool names_job = absl::StartsWith(typed, "jobs/") || absl::StartsWith(typed, "artifacts/");
  if (!names_job && (absl::StrContains(typed, '/') || absl::EndsWith(typed, ".safetensors"))) {
    return absl::NotFoundError(absl::StrCat("there is no file ", CleanLine(typed)));
  }
  return DownloadSource(context, typed);
}

std::vector<std::string> Warnings(const ExportCommandOptions& options,
                                  const std::optional<ServingDevice>& device) {
  if (options.target == "vllm") return EngineWarnings(Engine::kVllm, device);
  if (options.target == "sglang") return EngineWarnings(Engine::kSglang, device);
  if (options.target == "transformers") return EngineWarnings(Engine::kTransformers, device);
  return {};
}

absl::StatusOr<std::optional<ServingDevice>> DeviceOf(const ExportCommandOptions& options) {
  if (options.device.empty()) return std::nullopt;
  if (options.target.empty()) {
    return absl::InvalidArgumentError("--device is there without --target; name the engine too");
  }
  SASQ_ASSIGN_OR_RETURN(const ServingDevice device, ParseServingDevice(options.device));
  return std::optional<ServingDevice>(device);
}

absl::StatusOr<ExportSummary> ExportWithBar(const CommandContext& context,
                                            const ExportCommandOptions& options, Source source) {
  Console& console = context.console;
  LiveRegion region(&console.err);
  const bool is_live = console.err.is_live() && !console.quiet;
  std::stop_source stop;
  const Interrupt::Action on_interrupt(context.client.interrupt(),
                                       [&stop] { stop.request_stop(); });
  absl::Time drawn = absl::InfinitePast();
  ExportOptions wanted;
  wanted.model_folder = options.model_folder;
  wanted.out_folder = options.out_folder;
  wanted.force = options.force;
  if (options.max_shard_bytes > 0) wanted.max_shard_bytes = options.max_shard_bytes;
  wanted.report_json = std::move(source.report_json);
  wanted.stop = stop.get_token();
  wanted.on_progress = [&](int64_t done_bytes, int64_t total_bytes) {
    const absl::Time now = context.clock.Now();
    if (!is_live || now - drawn < kRedrawPeriod) return;
    drawn = now;
    const double fraction = static_cast<double>(done_bytes) / static_cast<double>(total_bytes);
    const int columns = std::min(kBarColumns, region.Width() / 2);
    region.Draw(
        {absl::StrFormat("%s %3.0f%%  %s", RenderBar(fraction, columns, console.err.style()),
                         100 * fraction, BytesText(done_bytes))});
  };
  absl::StatusOr<ExportSummary> summary = ExportCompressedTensors(source.pack, wanted);
  if (!summary.ok()) return LocalError(summary.status());
  return summary;
}

void PrintSummary(const CommandContext& context, const ExportCommandOptions& options,
                  const ExportSummary& summary, const std::vector<std::string>& warnings) {
  OutputStream& out = context.console.out;
  if (!context.wants_table()) {
    const nlohmann::ordered_json result = {{"path", options.out_folder},
                                           {"weight_bytes", summary.weight_bytes},
                                           {"static_sites", summary.static_site_count},
                                           {"dynamic_sites", summary.dynamic_site_count},
                                           {"float_sites", summary.float_site_count},
                                           {"warnings", warnings}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    out.Write(FormatJson(result.dump(1, ' ', false, replace) + "\n", context.globals.output));
    return;
  }
  out.WriteLine(CleanLine(options.out_folder));
  context.console.Note(
      absl::StrCat(BytesText(summary.weight_bytes), " of weights; sites with a static scale: ",
                   summary.static_site_count, ", one scale per token: ", summary.dynamic_site_count,
                   ", in floating point: ", summary.float_site_count));
}

}  // namespace

absl::StatusOr<ExitCode> RunExport(const CommandContext& context,
                                   const ExportCommandOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const std::optional<ServingDevice> device, DeviceOf(options));
  const std::vector<std::string> warnings = Warnings(options, device);
  for (const std::string& warning : warnings) {
    context.console.err.WriteLine(absl::StrCat("sasq: warning: ", warning));
  }
  SASQ_ASSIGN_OR_RETURN(Source source, FindSource(context, options.source));
  SASQ_ASSIGN_OR_RETURN(const ExportSummary summary,
                        ExportWithBar(context, options, std::move(source)));
  PrintSummary(context, options, summary, warnings);
  return ExitCode::kOk;
}

}  // namespace sasq
