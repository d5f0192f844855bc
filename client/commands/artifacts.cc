#include "client/commands/artifacts.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/transfer_bar.h"
#include "client/download.h"
#include "client/job_name.h"
#include "client/nearest_name.h"
#include "client/proto_output.h"
#include "client/table.h"
#include "client/text.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

struct Target {
  v1::Blob blob;
  std::string path;
  bool is_there = false;  // the same bytes already
};

absl::StatusOr<v1::Artifact> FindArtifact(const CommandContext& context, const std::string& typed) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, typed));
  return context.client.GetArtifact(name);
}

// Whoever takes the files is told that they are not to be used.
void NoteRejection(const CommandContext& context, const v1::Artifact& artifact) {
  if (!artifact.rejected()) return;
  const std::vector<v1::GateResult> results(artifact.gate_results().begin(),
                                            artifact.gate_results().end());
  context.console.Note(CleanLine(absl::StrCat("rejected: ", GateFailure(results))));
}

// The blobs that were asked for, all if `files` is empty.
absl::StatusOr<std::vector<v1::Blob>> Choose(const v1::Artifact& artifact,
                                             const std::vector<std::string>& files) {
  if (files.empty()) {
    return std::vector<v1::Blob>(artifact.blobs().begin(), artifact.blobs().end());
  }
  std::vector<std::string> names;
  for (const v1::Blob& blob : artifact.blobs()) names.push_back(CleanLine(blob.file_name()));
  std::vector<v1::Blob> chosen;
  for (const std::string& file : files) {
    const auto blob =
        std::find_if(artifact.blobs().begin(), artifact.blobs().end(),
                     [&file](const v1::Blob& candidate) { return candidate.file_name() == file; });
    if (blob == artifact.blobs().end()) {
      return absl::NotFoundError(absl::StrCat("the artifact has no file ", file, ", it has ",
                                              absl::StrJoin(names, ", "), DidYouMean(file, names)));
    }
    chosen.push_back(*blob);
  }
  return chosen;
}

absl::StatusOr<std::vector<Target>> PrepareTargets(const std::vector<v1::Blob>& blobs,
                                                   const DownloadOptions& options) {
  std::vector<Target> targets;
  for (const v1::Blob& blob : blobs) {
    SASQ_RETURN_IF_ERROR(CheckBlob(blob));
    const std::string path =
        (std::filesystem::path(options.folder) / blob.file_name()).lexically_normal().string();
    SASQ_ASSIGN_OR_RETURN(const LocalFile local, CompareLocalFile(path, blob));
    if (local == LocalFile::kDifferent && !options.force) {
      return absl::FailedPreconditionError(
          absl::StrCat(path,
                       " exists with other content; choose another --dir, or replace it with "
                       "--force"));
    }
    targets.push_back({blob, path, local == LocalFile::kSame});
  }
  return targets;
}

absl::Status DownloadWithBar(const CommandContext& context, const Target& target) {
  TransferBar bar(context, target.blob.file_name(), target.blob.size_bytes());
  Reconnector reconnector =
      context.MakeReconnector([&bar](const std::string& line) { bar.Note(line); });
  return DownloadFile(context.client, target.blob, target.path, reconnector,
                      [&bar](int64_t bytes) { bar.Update(bytes); });
}

void PrintTargets(const CommandContext& context, const std::vector<Target>& targets) {
  OutputStream& out = context.console.out;
  if (!context.wants_table()) {
    nlohmann::ordered_json files = nlohmann::ordered_json::array();
    for (const Target& target : targets) {
      files.push_back({{"path", target.path},
                       {"sha256", target.blob.sha256()},
                       {"size_bytes", target.blob.size_bytes()},
                       {"downloaded", !target.is_there}});
    }
    const nlohmann::ordered_json result = {{"files", files}};
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    out.Write(FormatJson(result.dump(1, ' ', false, replace) + "\n", context.globals.output));
    return;
  }
  if (context.console.quiet) {
    for (const Target& target : targets) out.WriteLine(target.path);
    return;
  }
  Table table({{"file"}, {"size", Table::Align::kRight}, {"sha256"}, {""}});
  for (const Target& target : targets) {
    table.AddRow({target.path, BytesText(target.blob.size_bytes()),
                  target.blob.sha256().substr(0, 12),
                  target.is_there ? TableCell("kept, same bytes", TextColor::kDim)
                                  : TableCell("downloaded", TextColor::kGreen)});
  }
  out.Write(table.Render(out.style(), out.Width()));
}

absl::StatusOr<ExitCode> DownloadScalesSoFar(const CommandContext& context,
                                             const DownloadOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const std::string name, ResolveJobName(context.client, options.job));
  SASQ_ASSIGN_OR_RETURN(const std::string scales, context.client.GetBestScales(name));
  if (const absl::Status made = MakeFolders(options.folder); !made.ok()) {
    return absl::FailedPreconditionError(made.message());
  }
  v1::Blob blob;
  blob.set_file_name("scales.safetensors");
  blob.set_sha256(Sha256Hex(scales));
  blob.set_size_bytes(static_cast<int64_t>(scales.size()));
  SASQ_ASSIGN_OR_RETURN(std::vector<Target> targets, PrepareTargets({blob}, options));
  if (!targets[0].is_there) SASQ_RETURN_IF_ERROR(WriteFileDurably(targets[0].path, scales));
  context.console.Note("scales of a job in training: nobody has measured them yet");
  PrintTargets(context, targets);
  return ExitCode::kOk;
}

}  // namespace

absl::StatusOr<ExitCode> RunArtifacts(const CommandContext& context,
                                      const ArtifactsOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const v1::Artifact artifact, FindArtifact(context, options.job));
  if (!context.wants_table()) {
    context.PrintMessage(artifact);
    return ExitCode::kOk;
  }
  NoteRejection(context, artifact);
  Table table({{"file"}, {"size", Table::Align::kRight}, {"sha256"}});
  for (const v1::Blob& blob : artifact.blobs()) {
    table.AddRow({blob.file_name(), BytesText(blob.size_bytes()), blob.sha256()});
  }
  OutputStream& out = context.console.out;
  context.console.Note(
      absl::StrCat(CleanLine(artifact.name()), ", published ", TimeText(artifact.create_time())));
  out.Write(table.Render(out.style(), /*max_width=*/1000));  // a digest is of use only whole
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> RunDownload(const CommandContext& context,
                                     const DownloadOptions& options) {
  if (options.so_far) return DownloadScalesSoFar(context, options);
  SASQ_ASSIGN_OR_RETURN(const v1::Artifact artifact, FindArtifact(context, options.job));
  SASQ_ASSIGN_OR_RETURN(const std::vector<v1::Blob> blobs, Choose(artifact, options.files));
  if (const absl::Status made = MakeFolders(options.folder); !made.ok()) {
    return absl::FailedPreconditionError(made.message());
  }
  SASQ_ASSIGN_OR_RETURN(const std::vector<Target> targets, PrepareTargets(blobs, options));
  for (const Target& target : targets) {
    if (!target.is_there) SASQ_RETURN_IF_ERROR(DownloadWithBar(context, target));
  }
  PrintTargets(context, targets);
  NoteRejection(context, artifact);
  return ExitCode::kOk;
}

}  // namespace sasq
