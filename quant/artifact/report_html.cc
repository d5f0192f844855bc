#include "quant/artifact/report_html.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "quant/artifact/report_plot.h"
#include "quant/artifact/report_style.h"

namespace sasq {
namespace {

// A method's name for people.
std::string MethodLabel(absl::string_view method) {
  static constexpr std::array<std::pair<absl::string_view, absl::string_view>, 5> kLabels = {
      {{"fp", "Float"},
       {"rtn_dynamic", "INT8, dynamic per token"},
       {"static_absmax", "INT8, static, absmax"},
       {"static_mse", "INT8, static, least squared error"},
       {"sasq", "INT8, static, trained (SASQ)"}}};
  for (const auto& [name, label] : kLabels) {
    if (name == method) return std::string(label);
  }
  return EscapeHtml(method);
}

std::string FormatPerplexity(double perplexity) {
  if (std::isnan(perplexity)) return "not a number";
  if (std::isinf(perplexity)) return "beyond range";
  return perplexity < 1000 ? absl::StrFormat("%.3f", perplexity)
                           : absl::StrFormat("%.4g", perplexity);
}

// 1234567 as "1 234 567", with narrow no-break spaces.
std::string FormatCount(int64_t count) {
  const std::string digits = absl::StrCat(count);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') text += "&#8239;";
    text += digits[i];
  }
  return text;
}

std::string FormatSeconds(double seconds) {
  if (seconds < 10) return absl::StrFormat("%.2f s", seconds);
  if (seconds < 120) return absl::StrFormat("%.1f s", seconds);
  if (seconds < 7200) return absl::StrFormat("%.1f min", seconds / 60);
  return absl::StrFormat("%.1f h", seconds / 3600);
}

std::string FormatBytes(int64_t bytes) {
  const double mebibytes = bytes / 1048576.0;
  return mebibytes < 1024 ? absl::StrFormat("%.1f MiB", mebibytes)
                          : absl::StrFormat("%.2f GiB", mebibytes / 1024);
}

std::string FormatFlops(double flops) {
  constexpr std::array<const char*, 5> kUnits = {"", "GFLOP", "TFLOP", "PFLOP", "EFLOP"};
  const int unit = std::clamp(static_cast<int>(std::log10(std::max(flops, 1.0)) / 3) - 2, 1, 4);
  return absl::StrFormat("%.3g %s", flops / std::pow(10, 6 + 3 * unit), kUnits[unit]);
}

// How much greater a perplexity is than its reference, in percent.
double IncreasePercent(double perplexity, double reference) {
  return 100 * (perplexity / reference - 1);
}

std::string FormatIncrease(double percent) {
  return std::abs(percent) < 1000 ? absl::StrFormat("%+.2f%%", percent)
                                  : absl::StrFormat("%+.3g%%", percent);
}

const ComparisonRow* FindRow(const Report& report, absl::string_view method,
                             absl::string_view first_token) {
  for (const ComparisonRow& row : report.rows) {
    if (row.method == method && row.first_token == first_token) return &row;
  }
  return nullptr;
}

void AppendTile(absl::string_view title, double perplexity, absl::string_view note, bool main,
                std::string* html) {
  absl::StrAppend(html, "<div class=\"tile", main ? " main" : "", "\"><div class=\"dim\">", title,
                  "</div><div class=\"value\">", FormatPerplexity(perplexity),
                  "</div><div class=\"dim\">", note, "</div></div>");
}

// The figures that matter most: float, this artifact, dynamic per token, best untrained static.
void AppendTiles(const Report& report, const ComparisonRow& chosen, std::string* html) {
  const ComparisonRow* reference = FloatRowFor(report, chosen);
  const auto note = [&](const ComparisonRow& row) {
    return reference == nullptr
               ? std::string("no float row on the same tokens")
               : absl::StrCat(
                     FormatIncrease(IncreasePercent(row.perplexity, reference->perplexity)),
                     " against float");
  };
  *html += "<div class=\"tiles\">";
  AppendTile("This artifact", chosen.perplexity, note(chosen), true, html);
  if (reference != nullptr) {
    AppendTile("Float model", reference->perplexity, "the reference", false, html);
  }
  const ComparisonRow* untrained = nullptr;
  for (absl::string_view method : {"static_mse", "static_absmax"}) {
    const ComparisonRow* row = FindRow(report, method, chosen.first_token);
    if (row == nullptr || row == &chosen) continue;
    if (untrained == nullptr || row->perplexity < untrained->perplexity) untrained = row;
  }
  if (untrained != nullptr) {
    AppendTile("Best untrained static", untrained->perplexity, note(*untrained), false, html);
  }
  if (const ComparisonRow* dynamic = FindRow(report, "rtn_dynamic", chosen.first_token)) {
    AppendTile("Dynamic per token", dynamic->perplexity, note(*dynamic), false, html);
  }
  *html += "</div>";
}

void AppendComparisonRow(const Report& report, const ComparisonRow& row, double widest_percent,
                         std::string* html) {
  const bool chosen = row.method == report.method && row.first_token == report.first_token;
  absl::StrAppend(html, chosen ? "<tr class=\"chosen\">" : "<tr>", "<td><span>",
                  MethodLabel(row.method), "<span class=\"code\"><code>", EscapeHtml(row.method),
                  "</code>", chosen ? " &#183; this artifact" : "", "</span></span></td>");
  absl::StrAppend(html, "<td class=\"n\" data-label=\"Perplexity\">",
                  FormatPerplexity(row.perplexity), "</td>");

  std::string against = "&#8212;";
  const ComparisonRow* reference = FloatRowFor(report, row);
  if (reference == &row) {
    against = "reference";
  } else if (reference != nullptr && std::isfinite(row.perplexity / reference->perplexity)) {
    const double percent = IncreasePercent(row.perplexity, reference->perplexity);
    const double width = widest_percent > 0 ? 100 * std::max(percent, 0.0) / widest_percent : 0;
    against = absl::StrFormat(
        "<span><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span><span "
        "class=\"percent\">%s</span></span>",
        width, FormatIncrease(percent));
  }
  absl::StrAppend(html, "<td class=\"n\" data-label=\"Against float\">", against, "</td>");
  absl::StrAppend(html, "<td class=\"n\" data-label=\"Windows\">", FormatCount(row.window_count),
                  "</td><td class=\"n\" data-label=\"Scored tokens\">",
                  FormatCount(row.token_count), "</td>");
  absl::StrAppend(html, "<td class=\"n\" data-label=\"Preparation\">",
                  row.preparation_seconds > 0 ? FormatSeconds(row.preparation_seconds) : "&#8212;",
                  "</td><td class=\"n\" data-label=\"Evaluation\">",
                  FormatSeconds(row.evaluation_seconds), "</td></tr>");
}

// The rows of one first_token, if there are any.
void AppendGroup(const Report& report, absl::string_view first_token, absl::string_view title,
                 double widest_percent, std::string* html) {
  bool titled = false;
  for (const ComparisonRow& row : report.rows) {
    if (row.first_token != first_token) continue;
    if (!titled) {
      absl::StrAppend(html, "<tr class=\"group\"><td colspan=\"7\">", title, "</td></tr>");
      titled = true;
    }
    AppendComparisonRow(report, row, widest_percent, html);
  }
}

void AppendComparison(const Report& report, std::string* html) {
  double widest_percent = 0;
  for (const ComparisonRow& row : report.rows) {
    const ComparisonRow* reference = FloatRowFor(report, row);
    if (reference == nullptr) continue;
    const double percent = IncreasePercent(row.perplexity, reference->perplexity);
    if (std::isfinite(percent)) widest_percent = std::max(widest_percent, percent);
  }
  *html +=
      "<h2>Comparison</h2><p class=\"dim\">Perplexity: lower is better. Each row is compared with "
      "the float model scored on the same tokens.</p><div class=\"card\"><table class=\"rows\">"
      "<thead><tr><th>Method</th><th class=\"n\">Perplexity</th><th class=\"n\">Against float</th>"
      "<th class=\"n\">Windows</th><th class=\"n\">Scored tokens</th><th class=\"n\">Preparation"
      "</th><th class=\"n\">Evaluation</th></tr></thead><tbody>";
  AppendGroup(report, "quantized", "Every token quantized", widest_percent, html);
  AppendGroup(report, "float", "First token of each window in float, and not scored",
              widest_percent, html);
  *html += "</tbody></table></div>";
}

double RatioOf(const SiteTraining& site) {
  return static_cast<double>(site.trained_scale) / site.initial_scale;
}

// The same axis for the four plots of a training: at least a factor of 2 either way.
std::pair<double, double> RatioRange(const std::vector<SiteTraining>& sites) {
  double low = 0.5;
  double high = 2;
  for (const SiteTraining& site : sites) {
    const double ratio = RatioOf(site);
    if (!std::isfinite(ratio) || ratio <= 0) continue;
    low = std::min(low, ratio / 1.1);
    high = std::max(high, ratio * 1.1);
  }
  return {std::max(low, 1e-3), std::min(high, 1e3)};
}

// The sites whose scale moved most, either way.
void AppendMostMoved(std::vector<SiteTraining> sites, std::string* html) {
  constexpr size_t kShown = 8;
  sites.erase(std::remove_if(sites.begin(), sites.end(),
                             [](const SiteTraining& site) {
                               return !std::isfinite(RatioOf(site)) || RatioOf(site) <= 0;
                             }),
              sites.end());
  const auto distance = [](const SiteTraining& site) { return std::abs(std::log(RatioOf(site))); };
  std::stable_sort(sites.begin(), sites.end(), [&](const SiteTraining& a, const SiteTraining& b) {
    return distance(a) > distance(b);
  });
  sites.resize(std::min(sites.size(), kShown));
  if (sites.empty()) return;
  *html +=
      "<div class=\"card\"><h3>Scales that moved most</h3><table class=\"small\"><thead><tr><th>"
      "Site</th><th class=\"n\">Initial</th><th class=\"n\">Trained</th><th class=\"n\">Ratio</th>"
      "</tr></thead><tbody>";
  for (const SiteTraining& site : sites) {
    absl::StrAppendFormat(html,
                          "<tr><td><code>%s</code></td><td class=\"n\" "
                          "data-label=\"Initial\">%.5g</td><td class=\"n\" "
                          "data-label=\"Trained\">%.5g</td><td class=\"n\" "
                          "data-label=\"Ratio\">%.3f&#215;</td></tr>",
                          EscapeHtml(SiteName(site.site)), site.initial_scale, site.trained_scale,
                          RatioOf(site));
  }
  *html += "</tbody></table></div>";
}

void AppendTraining(const TrainingRecord& training, std::string* html) {
  absl::StrAppend(html, "<h2>Training: ", MethodLabel(training.method),
                  training.first_token == "float" ? ", first token in float" : "", "</h2>");
  *html += "<div class=\"pair\">";
  const std::string loss = LossPlot(training.step_loss);
  if (!loss.empty()) {
    absl::StrAppend(
        html, "<div class=\"card\"><h3>Loss in nats per token</h3>", loss,
        "<p class=\"dim note\">A dot for each step, or the mean of a few. Each step sees "
        "another text, hence the spread; the line is a running mean.</p></div>");
  }
  AppendMostMoved(training.sites, html);
  *html += "</div>";
  if (training.sites.empty()) return;
  *html +=
      "<p class=\"dim\">Trained scale over initial scale at every site. Below 1&#215; the training "
      "chose "
      "to clip more and to round finer, above 1&#215; the opposite.</p><div class=\"pair\">";
  const auto [low, high] = RatioRange(training.sites);
  for (int kind = 0; kind < kSiteKindCount; ++kind) {
    const SiteKind site_kind = static_cast<SiteKind>(kind);
    absl::StrAppend(html, "<div class=\"card\"><h3><code>", SiteKindName(site_kind), "</code></h3>",
                    ScaleRatioPlot(training.sites, site_kind, low, high), "</div>");
  }
  *html += "</div>";
}

void AppendEntry(absl::string_view term, absl::string_view description, std::string* html) {
  absl::StrAppend(html, "<dt>", term, "</dt><dd>", description, "</dd>");
}

void AppendCost(const Report& report, std::string* html) {
  const Cost& cost = report.cost;
  const Samples& samples = report.samples;
  const auto text = [](int64_t windows, int64_t tokens) {
    return absl::StrCat(FormatCount(windows), " windows, ", FormatCount(tokens), " tokens");
  };
  *html += "<h2>Cost</h2><div class=\"pair\"><div class=\"card\"><dl>";
  AppendEntry("Wall time", FormatSeconds(cost.wall_seconds), html);
  AppendEntry("CPU time", FormatSeconds(cost.cpu_seconds), html);
  AppendEntry("Arithmetic", FormatFlops(cost.flop_count), html);
  AppendEntry("Energy",
              cost.joules.has_value() ? absl::StrFormat("%.0f J", *cost.joules)
                                      : std::string("not measurable on this machine"),
              html);
  AppendEntry("Peak memory", FormatBytes(cost.peak_memory_bytes), html);
  *html += "</dl></div><div class=\"card\"><dl>";
  AppendEntry("Calibration", text(samples.calibration_windows, samples.calibration_tokens), html);
  AppendEntry("Training", text(samples.training_windows, samples.training_tokens), html);
  AppendEntry("Evaluation, each row", text(samples.evaluation_windows, samples.evaluation_tokens),
              html);
  *html += "</dl></div></div>";
}

// `training_text` as "Training text".
std::string InputLabel(absl::string_view role) {
  std::string label = EscapeHtml(absl::StrReplaceAll(role, {{"_", " "}}));
  if (!label.empty()) label[0] = absl::ascii_toupper(static_cast<unsigned char>(label[0]));
  return label;
}

void AppendProvenance(const Provenance& provenance, std::string* html) {
  *html += "<h2>Where it comes from</h2><div class=\"card\"><dl>";
  AppendEntry("Program", absl::StrCat("SASQ ", EscapeHtml(provenance.code_version)), html);
  AppendEntry("Device",
              absl::StrCat(EscapeHtml(provenance.device_name), " (",
                           EscapeHtml(provenance.device_kind), ", ", provenance.thread_count,
                           provenance.thread_count == 1 ? " thread" : " threads",
                           ", kernels <code>", EscapeHtml(provenance.kernel_path), "</code>)"),
              html);
  for (const InputDigest& input : provenance.inputs) {
    AppendEntry(InputLabel(input.role),
                absl::StrCat("<code>", EscapeHtml(input.uri),
                             "</code><br><span class=\"dim\">"
                             "SHA-256 <code>",
                             EscapeHtml(input.sha256), "</code></span>"),
                html);
  }
  *html += "</dl>";
  const nlohmann::json spec =
      nlohmann::json::parse(provenance.spec_json, nullptr, /*allow_exceptions=*/false);
  if (spec.is_object() && !spec.empty()) {
    *html += "<details><summary>The job's spec, every default written out</summary><dl>";
    const nlohmann::json flat = spec.flatten();
    for (const auto& [path, value] : flat.items()) {
      const std::string text =
          value.is_string() ? value.get<std::string>()
                            : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      AppendEntry(absl::StrCat("<code>", EscapeHtml(absl::string_view(path).substr(1)), "</code>"),
                  EscapeHtml(text), html);
    }
    *html += "</dl></details>";
  }
  *html += "</div>";
}

}  // namespace

std::string ReportHtml(const Report& report) {
  std::string html = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'\"><title>",
      EscapeHtml(report.model), ": SASQ report</title><style>", kReportStyle,
      "</style></head><body><main><h1>", EscapeHtml(report.model),
      "</h1><p class=\"dim\">Static INT8 activation scales, measured on ",
      EscapeHtml(report.dataset), "</p>");
  if (const ComparisonRow* chosen = FindRow(report, report.method, report.first_token)) {
    AppendTiles(report, *chosen, &html);
  }
  AppendComparison(report, &html);
  for (const TrainingRecord& training : report.trainings) AppendTraining(training, &html);
  AppendCost(report, &html);
  AppendProvenance(report.provenance, &html);
  html += "</main></body></html>\n";
  return html;
}

}  // namespace sasq
