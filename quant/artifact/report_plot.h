// Plots of the report page as inline SVG. Colours come from the page's CSS classes, so that one
// drawing serves light and dark.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_
#define SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "quant/artifact/report.h"

namespace sasq {

// Escapes text for HTML and SVG, in elements and in quoted attributes.
std::string EscapeHtml(absl::string_view text);

// Loss by training step: each step (or the mean of a few, when there are many) as a dot, and the
// running mean as a line. Losses that are not finite are left out. Empty if none is left.
std::string LossPlot(const std::vector<double>& step_loss);

// Trained / initial scale by layer for one kind of site, on a logarithmic axis from `low` to `high`
// (low < 1 < high), with a stem from 1 to each value. Sites whose ratio is not finite and positive
// are left out.
std::string ScaleRatioPlot(const std::vector<SiteTraining>& sites, SiteKind kind, double low,
                           double high);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_PLOT_H_
