// Plots of the report page as inline SVG. Colours come from the page's CSS classes, so that one
// drawing serves light and dark.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_
#define SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "quant/artifact/report.h"

namespace sasq {

// Loss by training step: each step (or the mean of a few, when there are many) as a dot, and the
// running mean as a line. Losses that are not finite are left out. Empty if none is left.
std::string LossPlot(const std::vector<double>& step_loss);

// Trained / initial scale by layer for one kind of site, on a logarithmic axis from `low` to `high`
// (low < 1 < high), with a stem from 1 to each value. Sites whose ratio is not finite and positive
// are left out.
std::string ScaleRatioPlot(const std::vector<SiteReport>& sites, SiteKind kind, double low,
                           double high);

// How many calibration values have which magnitude, by octave (SiteReport::octave_counts), both
// axes logarithmic; where the scale clips, and below which magnitude values round to zero. `bits`
// is the width of the codes. Empty without counts.
std::string MagnitudePlot(const SiteReport& site, int bits);

// One line of a position plot.
struct PositionLine {
  std::string name;
  std::vector<double> values;  // by equal parts of a window
};

// Values by position in the window, one line each in the classes `s0`, `s1`, ..., whose legend the
// page writes; logarithmic if asked for. Values that are not finite (or not positive where the axis
// is logarithmic) are left out. Empty if none is left.
std::string PositionPlot(const std::vector<PositionLine>& lines, absl::string_view title,
                         bool logarithmic);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_
