// The report's tables, once for the page and for Markdown. Cells and notes are text with the marks
// of report_format.h.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_TABLES_H_
#define SASQ_QUANT_ARTIFACT_REPORT_TABLES_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "quant/artifact/report_analysis.h"

namespace sasq {

struct ReportCell {
  std::string text;
  std::string detail = {};         // a second line, smaller; the page only
  std::optional<double> bar = {};  // 0..1: a bar before the text; the page only
};

struct TableColumn {
  std::string title;
  bool numeric = true;
};

struct TableRow {
  std::string group = {};              // not empty: a heading over rows, without cells
  bool marked = false;                 // recommended, or what the artifact holds
  std::vector<ReportCell> cells = {};  // one per column
};

struct ReportTable {
  std::string title;
  std::string note;  // may be empty
  std::vector<TableColumn> columns;
  std::vector<TableRow> rows;  // none: the table is left out
};

// Columns without any figure are left out, and so are tables that have no other ones. Rows are
// grouped by first_token.
ReportTable QualityTable(const ReportAnalysis& analysis);     // perplexity, beside float
ReportTable OtherTextsTable(const ReportAnalysis& analysis);  // perplexity by text, beside float
ReportTable BehaviourTable(const ReportAnalysis& analysis);   // decode, KL, top-1, generation
ReportTable TasksTable(const ReportAnalysis& analysis);
ReportTable ServingTable(const ReportAnalysis& analysis);  // what a row asks of its runtime
ReportTable CostTable(const ReportAnalysis& analysis);
// One group's steps from float to trained static scales; no rows without a `fp_clipped` row.
ReportTable AblationTable(const ReportAnalysis& analysis, absl::string_view first_token);
// All sites of one row.
ReportTable SitesTable(const ComparisonRow& row);

// "Every token quantized": what a value of first_token means for a group of rows.
std::string GroupTitle(absl::string_view first_token);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_TABLES_H_
