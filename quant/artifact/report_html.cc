#include "quant/artifact/report_html.h"

#include "absl/strings/str_cat.h"
#include "quant/artifact/report_analysis.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_sections.h"
#include "quant/artifact/report_style.h"

namespace sasq {

std::string ReportHtml(const Report& report) {
  const ReportAnalysis analysis = Analyze(report);
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\"><title>",
      EscapeHtml(report.model), ": SASQ report</title><style>", kReportStyle,
      "</style></head><body><main><h1>", EscapeHtml(report.model),
      "</h1><p class=\"dim\">Ways to run this model in INT8 arithmetic, measured on ",
      EscapeHtml(report.dataset),
      ". Perplexity says how much text surprises a model: lower is better, and the unquantized "
      "(float) model is what the others are compared with.</p>");
  AppendGates(report, html);
  AppendAdvice(analysis, html);
  AppendComparison(analysis, html);
  AppendAblation(analysis, html);
  AppendTrainings(analysis, html);
  AppendCost(report, analysis, html);
  AppendProvenance(report.provenance, html);
  html += "</main></body></html>\n";
  return html;
}

}  // namespace sasq
