// Advice, comparison and ablation on the report page.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "quant/artifact/report_chart.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_plot.h"
#include "quant/artifact/report_sections.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

void AppendAdviceCard(const Advice& advice, bool main, std::string& html) {
  absl::StrAppend(&html, "<div class=\"card advice", main ? " main" : " wide",
                  "\"><div class=\"dim\">", MarkedHtml(advice.situation),
                  "</div><div class=\"value\">",
                  advice.row == nullptr ? std::string("none of these rows")
                                        : MarkedHtml(Code(advice.row->row->name)),
                  "</div>");
  if (advice.row != nullptr) {
    const ComparisonRow& row = *advice.row->row;
    absl::StrAppend(&html, "<div class=\"what\">", MarkedHtml(MethodLabel(row.method)),
                    advice.row->increase.has_value()
                        ? absl::StrCat(" \u00b7 <strong>", FormatIncrease(*advice.row->increase),
                                       "</strong> against float")
                        : "",
                    "</div>");
  }
  AppendSentences(advice.sentences, html);
  html += "</div>";
}

// Rows for plots by position: the marked ones and dynamic first, then those nearest to float.
std::vector<const RowAnalysis*> RowsToPlot(const ReportAnalysis& analysis) {
  constexpr size_t kMostLines = 6;
  std::vector<const RowAnalysis*> rows;
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row != row.reference && !row.row->kl_by_position.empty()) rows.push_back(&row);
  }
  const auto rank = [&](const RowAnalysis* row) {
    if (IsMarked(analysis, *row)) return 0;
    return row->row->method == "rtn_dynamic" ? 1 : 2;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const RowAnalysis* a, const RowAnalysis* b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return a->row->kl_divergence.value_or(HUGE_VAL) < b->row->kl_divergence.value_or(HUGE_VAL);
  });
  rows.resize(std::min(rows.size(), kMostLines));
  return rows;
}

void AppendPositionPlots(const ReportAnalysis& analysis, std::string& html) {
  const std::vector<const RowAnalysis*> rows = RowsToPlot(analysis);
  std::vector<PositionLine> kl;
  std::vector<PositionLine> top1;
  std::string legend;
  for (size_t i = 0; i < rows.size(); ++i) {
    kl.push_back({rows[i]->row->name, rows[i]->row->kl_by_position});
    top1.push_back({rows[i]->row->name, rows[i]->row->top1_by_position});
    absl::StrAppend(&legend,
                    "<span><svg class=\"swatch\" width=\"34\" height=\"10\" aria-hidden=\"true\">"
                    "<line class=\"line s",
                    i, "\" x1=\"0\" x2=\"34\" y1=\"5\" y2=\"5\"/></svg>",
                    MarkedHtml(Code(rows[i]->row->name)), "</span>");
  }
  const std::string kl_plot = PositionPlot(kl, "KL divergence by position", true);
  const std::string top1_plot = PositionPlot(top1, "Top-1 agreement by position", false);
  if (kl_plot.empty() && top1_plot.empty()) return;
  absl::StrAppend(&html,
                  "<h3 class=\"above\">Agreement with the float model by position</h3>"
                  "<div class=\"legend\">",
                  legend, "</div><div class=\"pair\">");
  if (!kl_plot.empty()) {
    absl::StrAppend(&html, "<div class=\"card\"><h3>KL divergence in nats, lower is better</h3>",
                    kl_plot, "</div>");
  }
  if (!top1_plot.empty()) {
    absl::StrAppend(&html, "<div class=\"card\"><h3>Same likeliest token, higher is better</h3>",
                    top1_plot, "</div>");
  }
  html += "</div>";
}

}  // namespace

void AppendAdvice(const ReportAnalysis& analysis, std::string& html) {
  if (analysis.rows.empty()) return;
  html += "<h2>Which method to use</h2><div class=\"pair\">";
  if (const std::optional<Advice> artifact = ArtifactAdvice(analysis)) {
    AppendAdviceCard(*artifact, false, html);
  }
  AppendAdviceCard(ServingAdvice(analysis), true, html);
  AppendAdviceCard(RuntimeAdvice(analysis), true, html);
  html += "</div>";
  const std::vector<std::string> warnings = WarningWords(analysis);
  if (warnings.empty()) return;
  html += "<div class=\"card warning\"><h3>Before you believe it</h3>";
  AppendSentences(warnings, html);
  html += "</div>";
}

void AppendComparison(const ReportAnalysis& analysis, std::string& html) {
  html += "<h2>Comparison</h2>";
  const std::string chart = IncreaseChart(analysis);
  if (!chart.empty()) {
    absl::StrAppend(
        &html,
        "<div class=\"card\"><h3>Perplexity against the float model, with 95% intervals</h3>"
        "<p class=\"dim note\">Left is better. The line at 0 is the float model on the same "
        "tokens. "
        "The scale is linear near it and logarithmic further away; \u25b6 marks a row beyond twice "
        "the float model's perplexity.</p><div class=\"legend\"><span><i class=\"key static\"></i>"
        "static scales</span><span><i class=\"key dynamic\"></i>a scale for each token</span><span>"
        "<i class=\"key control\"></i>float, as a control</span></div>",
        chart, "</div>");
  }
  AppendTable(QualityTable(analysis), html);
  AppendTable(OtherTextsTable(analysis), html);
  AppendTable(BehaviourTable(analysis), html);
  AppendPositionPlots(analysis, html);
  AppendTable(TasksTable(analysis), html);
  AppendTable(ServingTable(analysis), html);
  bool noted = false;
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row->notes.empty()) continue;
    if (!noted) html += "<details><summary>Notes on the rows</summary><dl>";
    noted = true;
    std::string notes;
    for (const std::string& note : row.row->notes) {
      absl::StrAppend(&notes, notes.empty() ? "" : "<br>", EscapeHtml(note));
    }
    AppendEntry(MarkedHtml(Code(row.row->name)), notes, html);
  }
  if (noted) html += "</dl></details>";
}

void AppendAblation(const ReportAnalysis& analysis, std::string& html) {
  bool titled = false;
  for (absl::string_view group : {"quantized", "float", "prefix"}) {
    ReportTable table = AblationTable(analysis, group);
    if (table.rows.empty()) continue;
    if (!titled) html += "<h2>Clipping and rounding apart</h2>";
    titled = true;
    table.title = GroupTitle(group);
    AppendTable(table, html);
    AppendSentences(AblationWords(analysis, group), html);
  }
}

}  // namespace sasq
