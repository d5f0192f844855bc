#include "quant/artifact/report_svg.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_markup.h"

namespace sasq {

std::vector<double> LinearTicks(double low, double high, int count) {
  const double raw_step = (high - low) / count;
  const double magnitude = std::pow(10, std::floor(std::log10(raw_step)));
  double step = magnitude * 10;
  for (double factor : {1.0, 2.0, 5.0}) {
    if (magnitude * factor >= raw_step) {
      step = magnitude * factor;
      break;
    }
  }
  std::vector<double> ticks;
  for (double index = std::ceil(low / step); index * step <= high; ++index) {
    ticks.push_back(index * step);
  }
  return ticks;
}

std::string OpenSvg(const Frame& frame, absl::string_view title, absl::string_view description) {
  return absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" role=\"img\" xmlns=\"http://www.w3.org/2000/svg\">"
      "<title>%s</title><desc>%s</desc>",
      frame.width, frame.height, EscapeHtml(title), EscapeHtml(description));
}

void AppendYTick(const Frame& frame, double share, absl::string_view text, absl::string_view cls,
                 std::string& svg) {
  const double y = frame.Y(share);
  absl::StrAppendFormat(&svg,
                        "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                        cls, frame.X(0), frame.X(1), y, y, frame.X(0) - 6, y + 4, text);
}

void AppendXTick(const Frame& frame, double share, absl::string_view text, std::string& svg) {
  const absl::string_view anchor = share < 0.97 ? "middle" : "end";  // stays inside the drawing
  absl::StrAppendFormat(&svg,
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
                        frame.X(share), frame.height - frame.bottom + 15, anchor, text);
}

void AppendXLabel(const Frame& frame, absl::string_view text, std::string& svg) {
  absl::StrAppendFormat(
      &svg, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
      frame.X(0.5), frame.height - 4, text);
}

}  // namespace sasq
