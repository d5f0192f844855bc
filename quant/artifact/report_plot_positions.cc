// Lines by position in a window.
#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_plot.h"
#include "quant/artifact/report_svg.h"

namespace sasq {
namespace {

// The vertical axis, in the values' own unit or in decades.
struct Axis {
  bool logarithmic = false;
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool Shows(double value) const { return std::isfinite(value) && (!logarithmic || value > 0); }
  double At(double value) const { return logarithmic ? std::log10(value) : value; }
  double Share(double value) const { return (At(value) - low) / (high - low); }
};

Axis FitAxis(const std::vector<PositionLine>& lines, bool logarithmic) {
  Axis axis;
  axis.logarithmic = logarithmic;
  for (const PositionLine& line : lines) {
    for (double value : line.values) {
      if (!axis.Shows(value)) continue;
      axis.low = std::min(axis.low, axis.At(value));
      axis.high = std::max(axis.high, axis.At(value));
    }
  }
  const double pad = std::max(0.06 * (axis.high - axis.low), 1e-3);
  axis.low -= pad;
  axis.high += pad;
  return axis;
}

void AppendAxis(const Frame& frame, const Axis& axis, std::string& svg) {
  if (!axis.logarithmic) {
    for (double tick : LinearTicks(axis.low, axis.high, 5)) {
      AppendYTick(frame, axis.Share(tick), absl::StrFormat("%.4g", tick), "grid", svg);
    }
    return;
  }
  // Decades, with 2 and 5 between where there are few.
  const bool fine = axis.high - axis.low < 2;
  for (int decade = static_cast<int>(std::floor(axis.low)); decade <= axis.high; ++decade) {
    for (double factor : {1.0, 2.0, 5.0}) {
      const double value = factor * std::pow(10, decade);
      const double share = axis.Share(value);
      if (share < 0 || share > 1 || (factor != 1 && !fine)) continue;
      AppendYTick(frame, share, absl::StrFormat("%.4g", value), "grid", svg);
    }
  }
}

}  // namespace

std::string PositionPlot(const std::vector<PositionLine>& lines, absl::string_view title,
                         bool logarithmic) {
  const Axis axis = FitAxis(lines, logarithmic);
  if (!(axis.low < axis.high)) return "";
  const Frame frame;
  std::string svg =
      OpenSvg(frame, title,
              absl::StrCat(lines.size(), " lines over the window, whose means the table holds."));
  AppendAxis(frame, axis, svg);
  AppendXTick(frame, 0, "begin", svg);
  AppendXTick(frame, 1, "end", svg);
  AppendXLabel(frame, "position in the window", svg);
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::vector<double>& values = lines[i].values;
    absl::StrAppend(&svg, "<polyline class=\"line s", i, "\" points=\"");
    for (size_t j = 0; j < values.size(); ++j) {
      if (!axis.Shows(values[j])) continue;
      absl::StrAppendFormat(&svg, "%.1f,%.1f ", frame.X((j + 0.5) / values.size()),
                            frame.Y(axis.Share(values[j])));
    }
    svg += "\"/>";
  }
  return svg + "</svg>";
}

}  // namespace sasq
