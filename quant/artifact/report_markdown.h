// `report.md`: the report's words and tables as Markdown.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_MARKDOWN_H_
#define SASQ_QUANT_ARTIFACT_REPORT_MARKDOWN_H_

#include <string>

#include "quant/artifact/report.h"

namespace sasq {

inline constexpr char kReportMarkdownFileName[] = "report.md";

// What the page says without its drawings and without the sites. Text from outside cannot become
// HTML or break a table.
std::string ReportMarkdown(const Report& report);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_MARKDOWN_H_
