#include "client/commands/report.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/artifact_folder.h"
#include "client/report_summary.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/artifact/report.h"
#include "quant/artifact/report_html.h"
#include "quant/artifact/report_markdown.h"

namespace sasq {
namespace {

const char* FileName(ReportFormat format) {
  switch (format) {
    case ReportFormat::kMarkdown:
      return kReportMarkdownFileName;
    case ReportFormat::kHtml:
      return kReportHtmlFileName;
    case ReportFormat::kJson:
      break;
  }
  return kReportJsonFileName;
}

}  // namespace

absl::StatusOr<ExitCode> RunReport(const CommandContext& context, const ReportOptions& options) {
  Reconnector reconnector =
      context.MakeReconnector([&context](const std::string& line) { context.console.Note(line); });
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<const ArtifactFolder> folder,
                        ArtifactFolder::Open(context.client, options.job_or_folder, reconnector));
  SASQ_ASSIGN_OR_RETURN(
      const std::string report,
      ReadFile(absl::StrCat(folder->path(), "/", FileName(options.format)), kMaxReportBytes));
  context.console.out.Write(report);
  return ExitCode::kOk;
}

}  // namespace sasq
