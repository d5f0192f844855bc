// `report.html`: one self-contained page for people, in light and dark.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_HTML_H_
#define SASQ_QUANT_ARTIFACT_REPORT_HTML_H_

#include <string>

#include "quant/artifact/report.h"

namespace sasq {

inline constexpr char kReportHtmlFileName[] = "report.html";

// The page: which method to use and why, the comparison, clipping and rounding apart, what training
// did (loss by step, scales by layer, sites worth a look), what it cost and where it comes from. No
// script, nothing loaded from elsewhere; all text from outside is escaped.
std::string ReportHtml(const Report& report);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_HTML_H_
