#include "quant/artifact/report_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_tables.h"

namespace sasq {
namespace {

constexpr double kStripHeight = 26;

// Increases against float, from about -1% on, to percent of the strip's width. What is beyond 100%
// is not on the axis.
class IncreaseAxis {
 public:
  explicit IncreaseAxis(const ReportAnalysis& analysis) {
    double low = -0.005;
    double high = 0.05;
    for (const RowAnalysis& row : analysis.rows) {
      if (!row.increase.has_value() || row.collapsed) continue;
      low = std::min(low, *row.increase);
      high = std::max(high, *row.increase);
      if (!row.against_float.has_value()) continue;
      low = std::min(low, std::expm1(row.against_float->interval.low));
      high = std::max(high, std::expm1(row.against_float->interval.high));
    }
    low_ = Stretch(std::max(low, -0.5)) - 0.12;
    high_ = Stretch(std::min(high, 1.0)) + 0.12;
  }

  double Percent(double increase) const {
    return std::clamp(3 + 88 * (Stretch(increase) - low_) / (high_ - low_), 0.5, 94.0);
  }
  bool Shows(double increase) const {
    return Stretch(increase) >= low_ && Stretch(increase) <= high_;
  }

 private:
  // Linear within half a percent.
  static double Stretch(double increase) {
    const double size = std::log10(1 + std::abs(increase) / 0.005);
    return increase < 0 ? -size : size;
  }

  double low_;
  double high_;
};

// Ticks that fit, with their labels.
std::vector<std::pair<double, std::string>> Ticks(const IncreaseAxis& axis) {
  static constexpr std::array<std::pair<double, const char*>, 11> kTicks = {{{-0.3, "\u221230%"},
                                                                             {-0.1, "\u221210%"},
                                                                             {-0.03, "\u22123%"},
                                                                             {-0.01, "\u22121%"},
                                                                             {0, "float"},
                                                                             {0.01, "+1%"},
                                                                             {0.03, "+3%"},
                                                                             {0.1, "+10%"},
                                                                             {0.3, "+30%"},
                                                                             {1, "2\u00d7"},
                                                                             {3, "4\u00d7"}}};
  std::vector<std::pair<double, std::string>> ticks;
  for (const auto& [value, label] : kTicks) {
    if (axis.Shows(value)) ticks.emplace_back(axis.Percent(value), label);
  }
  return ticks;
}

std::string OpenStrip(const IncreaseAxis& axis, const std::string& description) {
  std::string svg = absl::StrFormat(
      "<svg class=\"strip\" height=\"%g\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">"
      "<title>%s</title>",
      kStripHeight, EscapeHtml(description));
  for (const auto& [percent, label] : Ticks(axis)) {
    absl::StrAppendFormat(&svg,
                          "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%g\"/>",
                          label == "float" ? "one" : "grid", percent, percent, kStripHeight);
  }
  return svg;
}

std::string Strip(const IncreaseAxis& axis, const RowAnalysis& row, const std::string& value) {
  const double middle = kStripHeight / 2;
  std::string svg = OpenStrip(axis, absl::StrCat(row.row->name, " against float: ", value));
  const absl::string_view cls = row.row->activations == "dynamic" ? "dynamic"
                                : row.row->activations == "float" ? "control"
                                                                  : "static";
  if (row.collapsed) {
    return absl::StrCat(svg, "<text class=\"off\" x=\"99%\" y=\"", middle + 5,
                        "\" text-anchor=\"end\">\u25b6</text></svg>");
  }
  if (row.against_float.has_value()) {
    absl::StrAppendFormat(
        &svg, "<line class=\"whisker %s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%g\" y2=\"%g\"/>", cls,
        axis.Percent(std::expm1(row.against_float->interval.low)),
        axis.Percent(std::expm1(row.against_float->interval.high)), middle, middle);
  }
  absl::StrAppendFormat(&svg, "<circle class=\"point %s\" cx=\"%.2f%%\" cy=\"%g\" r=\"5\"/></svg>",
                        cls, axis.Percent(*row.increase), middle);
  return svg;
}

void AppendTicks(const IncreaseAxis& axis, std::string& html) {
  html +=
      "<div class=\"strip-axis\" aria-hidden=\"true\"><span></span><svg class=\"strip\" "
      "height=\"18\">";
  double last = -100;
  for (const auto& [percent, label] : Ticks(axis)) {
    if (percent - last < 7 && label != "float") continue;
    absl::StrAppendFormat(&html,
                          "<text class=\"tick\" x=\"%.2f%%\" y=\"13\" text-anchor=\"middle\">%s"
                          "</text>",
                          percent, label);
    last = percent;
  }
  html += "</svg><span></span></div>";
}

}  // namespace

std::string IncreaseChart(const ReportAnalysis& analysis) {
  const IncreaseAxis axis(analysis);
  std::string html;
  for (absl::string_view group : {"quantized", "float", "prefix"}) {
    bool titled = false;
    for (const RowAnalysis& row : analysis.rows) {
      const bool shown = row.increase.has_value() || row.collapsed;
      if (row.row->first_token != group || row.row == row.reference || !shown) continue;
      if (row.reference == nullptr) continue;
      if (!titled) {
        absl::StrAppend(&html, "<div class=\"strip-group\">", MarkedHtml(GroupTitle(group)),
                        "</div>");
        titled = true;
      }
      const std::string value =
          row.increase.has_value() ? FormatIncrease(*row.increase) : std::string("collapsed");
      absl::StrAppend(&html, "<div class=\"strip-row", IsMarked(analysis, row) ? " marked" : "",
                      "\"><span>", MarkedHtml(Code(row.row->name)), "</span>",
                      Strip(axis, row, value), "<span class=\"strip-value\">", EscapeHtml(value),
                      "</span></div>");
    }
  }
  if (html.empty()) return "";
  AppendTicks(axis, html);
  return absl::StrCat("<div class=\"strips\">", html, "</div>");
}

}  // namespace sasq
