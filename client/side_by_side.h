// Two reports beside each other, for people and for programs.
#ifndef SASQ_CLIENT_SIDE_BY_SIDE_H_
#define SASQ_CLIENT_SIDE_BY_SIDE_H_

#include <string>

#include "client/report_summary.h"
#include "client/terminal.h"

namespace sasq {

// Tables of figures, of the scales that differ most, and of where the artifacts come from.
std::string SideBySideTables(const ReportSummary& a, const ReportSummary& b, const TextStyle& style,
                             int max_width);

// The same in Markdown.
std::string SideBySideMarkdown(const ReportSummary& a, const ReportSummary& b);

// {"a": {...}, "b": {...}, "scales": [{"site", "a", "b", "ratio"}], "provenance": [{"field", "a",
// "b"}]}: every site and field that differs. A figure that a report does not have is null.
std::string SideBySideJson(const ReportSummary& a, const ReportSummary& b);

}  // namespace sasq

#endif  // SASQ_CLIENT_SIDE_BY_SIDE_H_
