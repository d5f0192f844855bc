// Trained rows and their sites on the report page.
#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_plot.h"
#include "quant/artifact/report_sections.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

double RatioOf(const SiteReport& site) {
  return static_cast<double>(site.scale) / site.initial_scale;
}

// The same axis for the four plots of a training: at least a factor of 2 either way.
std::pair<double, double> RatioRange(const std::vector<SiteReport>& sites) {
  double low = 0.5;
  double high = 2;
  for (const SiteReport& site : sites) {
    const double ratio = RatioOf(site);
    if (!std::isfinite(ratio) || ratio <= 0) continue;
    low = std::min(low, ratio / 1.1);
    high = std::max(high, ratio * 1.1);
  }
  return {std::max(low, 1e-3), std::min(high, 1e3)};
}

void AppendRatioPlots(const std::vector<SiteReport>& sites, std::string& html) {
  html +=
      "<h3 class=\"above\">Trained scale over initial scale</h3><p class=\"dim\">Below 1\u00d7 "
      "the training chose to clip more and to round finer, above 1\u00d7 the opposite.</p>"
      "<div class=\"pair\">";
  const auto [low, high] = RatioRange(sites);
  for (int kind = 0; kind < kSiteKindCount; ++kind) {
    const SiteKind site_kind = static_cast<SiteKind>(kind);
    absl::StrAppend(&html, "<div class=\"card\"><h3><code>", SiteKindName(site_kind),
                    "</code></h3>", ScaleRatioPlot(sites, site_kind, low, high), "</div>");
  }
  html += "</div>";
}

std::string OutlierText(const SiteReport& site) {
  constexpr size_t kShown = 4;
  std::string text;
  for (size_t i = 0; i < std::min(site.outliers.size(), kShown); ++i) {
    const OutlierReport& outlier = site.outliers[i];
    absl::StrAppendFormat(&text, "%s<code>%s</code> at position %d: %.4g", i == 0 ? "" : "<br>",
                          EscapeHtml(outlier.text), outlier.position, outlier.magnitude);
  }
  return text;
}

void AppendSiteCard(const SiteReport& site, int bits, std::string& html) {
  absl::StrAppend(&html, "<div class=\"card\"><h3><code>", SiteName(site.site), "</code></h3>",
                  MagnitudePlot(site, bits), "<dl>");
  AppendEntry("Scale",
              absl::StrFormat("%.4g \u2192 %.4g (%.3f\u00d7)", site.initial_scale, site.scale,
                              RatioOf(site)),
              html);
  AppendEntry("Gradient", absl::StrCat(FormatShare(site.gradient_share), " of all sites"), html);
  AppendEntry("Clipped", absl::StrCat(FormatShare(site.clipped_share), " of the values"), html);
  if (std::isfinite(site.signal_to_noise_db)) {
    AppendEntry("Signal to noise", absl::StrFormat("%.1f dB", site.signal_to_noise_db), html);
  }
  AppendEntry(
      "Largest",
      absl::StrFormat("%.4g, without first tokens %.4g", site.absmax, site.absmax_without_first),
      html);
  if (site.float_gain_nats.has_value()) {
    AppendEntry("Gain in float",
                absl::StrFormat("%.4f nats with this site alone in float", *site.float_gain_nats),
                html);
  }
  if (!site.outliers.empty()) AppendEntry("Outliers", OutlierText(site), html);
  html += "</dl></div>";
}

// A trained row: words and curve first, then its sites.
void AppendTraining(const ReportAnalysis& analysis, const RowAnalysis& row, bool open,
                    std::string& html) {
  const ComparisonRow& trained = *row.row;
  absl::StrAppend(&html,
                  open ? "<details class=\"training\" open>" : "<details class=\"training\">",
                  "<summary>", MarkedHtml(Code(trained.name)), " <span class=\"dim\">",
                  MarkedHtml(MethodLabel(trained.method)),
                  row.increase.has_value() ? absl::StrCat(", ", FormatIncrease(*row.increase)) : "",
                  ", ", Counted(static_cast<int64_t>(trained.step_loss.size()), "step"),
                  "</span></summary><div class=\"pair\">");
  const std::vector<std::string> words = TrainingWords(analysis, row);
  if (!words.empty()) {
    html += "<div class=\"card\"><h3>What the numbers say</h3>";
    AppendSentences(words, html);
    html += "</div>";
  }
  const std::string loss = LossPlot(trained.step_loss);
  if (!loss.empty()) {
    absl::StrAppend(
        &html, "<div class=\"card\"><h3>Loss in nats per token</h3>", loss,
        "<p class=\"dim note\">A dot for each step, or the mean of a few. Each step sees another "
        "text, hence the spread; the line is a running mean.</p></div>");
  }
  html += "</div>";
  if (HasTrainedScales(trained)) AppendSites(analysis, row, html);
  html += "</details>";
}

}  // namespace

void AppendSites(const ReportAnalysis& analysis, const RowAnalysis& row, std::string& html) {
  constexpr size_t kDrawnSites = 6;
  const ComparisonRow& trained = *row.row;
  AppendRatioPlots(trained.sites, html);
  const TrainingAnalysis training = AnalyzeTraining(analysis, row);
  html +=
      "<h3 class=\"above\">Sites with most of the gradient, and those that moved most</h3>"
      "<p class=\"dim\">How many calibration values have which magnitude. Right of the line "
      "they are clipped; in the shaded part they round to zero.</p><div class=\"pair\">";
  for (size_t site : InterestingSites(training, kDrawnSites)) {
    AppendSiteCard(trained.sites[site], trained.activation_bits, html);
  }
  const ReportTable table = SitesTable(trained);
  absl::StrAppend(&html, "</div><details><summary>", MarkedHtml(table.title),
                  "</summary><p class=\"dim note\">", MarkedHtml(table.note),
                  "</p><div class=\"scroll sites\" tabindex=\"0\" role=\"region\" aria-label=\"",
                  EscapeHtml(Unmarked(table.title)), "\">");
  AppendTableBody(table, html);
  html += "</div></details>";
}

void AppendTrainings(const ReportAnalysis& analysis, std::string& html) {
  const RowAnalysis* first = nullptr;
  for (const RowAnalysis& row : analysis.rows) {
    if (!HasTrainedScales(*row.row)) continue;
    if (first == nullptr || (!IsMarked(analysis, *first) && IsMarked(analysis, row))) first = &row;
  }
  bool titled = false;
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row->step_loss.empty()) continue;
    if (!titled) html += "<h2>Why training works here, or does not</h2>";
    titled = true;
    AppendTraining(analysis, row, &row == first, html);
  }
}

}  // namespace sasq
