#include "quant/artifact/artifact.h"

#include <utility>

#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/artifact/manifest.h"
#include "quant/artifact/report_html.h"
#include "quant/artifact/report_markdown.h"

namespace sasq {

absl::StatusOr<std::vector<NamedFile>> AssembleArtifact(const std::optional<ScalePack>& pack,
                                                        const Report& report) {
  std::vector<NamedFile> files;
  if (pack.has_value()) {
    SASQ_ASSIGN_OR_RETURN(std::string scales, SerializeScalePack(*pack));
    files.push_back({kScalePackFileName, std::move(scales)});
  }
  files.push_back({kReportJsonFileName, ReportJson(report)});
  files.push_back({kReportHtmlFileName, ReportHtml(report)});
  files.push_back({kReportMarkdownFileName, ReportMarkdown(report)});

  Manifest manifest;
  for (const NamedFile& file : files) {
    manifest.files.push_back({file.file_name, Sha256Hex(file.content),
                              static_cast<int64_t>(file.content.size()),
                              /*reproducible=*/file.file_name == kScalePackFileName});
  }
  manifest.rejected = IsRejected(report);
  manifest.provenance = report.provenance;
  files.push_back({kManifestFileName, ManifestJson(manifest)});
  return files;
}

}  // namespace sasq
