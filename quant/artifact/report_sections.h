// The parts of the report page, in their order.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_SECTIONS_H_
#define SASQ_QUANT_ARTIFACT_REPORT_SECTIONS_H_

#include <string>
#include <vector>

#include "quant/artifact/report_analysis.h"
#include "quant/artifact/report_tables.h"

namespace sasq {

// What the quality gates said, where the job had any.
void AppendGates(const Report& report, std::string& html);
// Which method to use, why, and what to beware of.
void AppendAdvice(const ReportAnalysis& analysis, std::string& html);
// The chart, the tables of measurements, and lines by position.
void AppendComparison(const ReportAnalysis& analysis, std::string& html);
// Clipping and rounding apart.
void AppendAblation(const ReportAnalysis& analysis, std::string& html);
// What training did, row by row: words, loss, scales, sites.
void AppendTrainings(const ReportAnalysis& analysis, std::string& html);
// One trained row's sites: those worth a look drawn, and all in a table.
void AppendSites(const ReportAnalysis& analysis, const RowAnalysis& row, std::string& html);
void AppendCost(const Report& report, const ReportAnalysis& analysis, std::string& html);
void AppendProvenance(const Provenance& provenance, std::string& html);

// Building blocks. Texts carry the marks of report_format.h.
void AppendTable(const ReportTable& table, std::string& html);      // with its title, in a card
void AppendTableBody(const ReportTable& table, std::string& html);  // the table alone
void AppendSentences(const std::vector<std::string>& sentences, std::string& html);
// A term of a description list; both are HTML.
void AppendEntry(absl::string_view term, absl::string_view description, std::string& html);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_SECTIONS_H_
