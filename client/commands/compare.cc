#include "client/commands/compare.h"

#include <filesystem>
#include <memory>

#include "client/artifact_folder.h"
#include "client/proto_output.h"
#include "client/report_summary.h"
#include "client/side_by_side.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/artifact/report.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {
namespace {

// `typed`: a report.json, the folder of an artifact, or a job.
absl::StatusOr<ReportSummary> LoadSummary(const CommandContext& context, const std::string& typed,
                                          const std::string& row) {
  std::error_code ignored;
  if (std::filesystem::is_regular_file(typed, ignored)) {
    SASQ_ASSIGN_OR_RETURN(const std::string json, ReadFile(typed, kMaxReportBytes));
    return ReadReport(json, typed, row);
  }
  Reconnector reconnector =
      context.MakeReconnector([&context](const std::string& line) { context.console.Note(line); });
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const ArtifactFolder> folder,
                        ArtifactFolder::Open(context.client, typed, reconnector));
  const std::filesystem::path path(folder->path());
  SASQ_ASSIGN_OR_RETURN(const std::string json,
                        ReadFile((path / kReportJsonFileName).string(), kMaxReportBytes));
  SASQ_ASSIGN_OR_RETURN(ReportSummary summary, ReadReport(json, folder->name(), row));
  const auto size = std::filesystem::file_size(path / kScalePackFileName, ignored);
  if (!ignored) summary.pack_bytes = static_cast<int64_t>(size);
  return summary;
}

}  // namespace

absl::StatusOr<ExitCode> RunSideBySide(const CommandContext& context,
                                       const CompareOptions& options) {
  SASQ_ASSIGN_OR_RETURN(const ReportSummary a,
                        LoadSummary(context, options.results[0], options.row));
  SASQ_ASSIGN_OR_RETURN(const ReportSummary b,
                        LoadSummary(context, options.results[1], options.row));
  OutputStream& out = context.console.out;
  switch (context.globals.output) {
    case OutputFormat::kTable:
      out.Write(SideBySideTables(a, b, out.style(), out.Width()));
      break;
    case OutputFormat::kMarkdown:
      out.Write(SideBySideMarkdown(a, b));
      break;
    case OutputFormat::kJson:
    case OutputFormat::kYaml:
      out.Write(FormatJson(SideBySideJson(a, b), context.globals.output));
      break;
  }
  return ExitCode::kOk;
}

}  // namespace sasq
