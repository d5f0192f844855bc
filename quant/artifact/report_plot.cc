#include "quant/artifact/report_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_svg.h"

namespace sasq {
namespace {

struct Point {
  double step;  // from 1; of a mean, its middle
  double loss;
};

// At most `limit` points: each step, or means of equally many steps.
std::vector<Point> Condense(const std::vector<double>& losses, size_t limit) {
  const size_t group = (losses.size() + limit - 1) / limit;
  std::vector<Point> points;
  for (size_t begin = 0; begin < losses.size(); begin += group) {
    const size_t end = std::min(begin + group, losses.size());
    double sum = 0;
    size_t count = 0;
    for (size_t i = begin; i < end; ++i) {
      if (!std::isfinite(losses[i])) continue;
      sum += losses[i];
      ++count;
    }
    if (count > 0) points.push_back({0.5 * (begin + end + 1), sum / count});
  }
  return points;
}

// Means over up to `radius` points on either side.
std::vector<Point> RunningMean(const std::vector<Point>& points, size_t radius) {
  std::vector<Point> means;
  for (size_t i = 0; i < points.size(); ++i) {
    const size_t begin = i - std::min(radius, i);
    const size_t end = std::min(i + radius + 1, points.size());
    double sum = 0;
    for (size_t j = begin; j < end; ++j) sum += points[j].loss;
    means.push_back({points[i].step, sum / (end - begin)});
  }
  return means;
}

}  // namespace

std::string LossPlot(const std::vector<double>& step_loss) {
  constexpr size_t kMaxPoints = 240;
  const std::vector<Point> points = Condense(step_loss, kMaxPoints);
  if (points.empty()) return "";
  const auto [lowest, highest] = std::minmax_element(
      points.begin(), points.end(), [](const Point& a, const Point& b) { return a.loss < b.loss; });
  const double pad = std::max(0.05 * (highest->loss - lowest->loss), 1e-3);
  const double low = lowest->loss - pad;
  const double high = highest->loss + pad;
  const double last_step = std::max<double>(step_loss.size(), 2);
  const auto x = [&](double step) { return (step - 1) / (last_step - 1); };
  const auto y = [&](double loss) { return (loss - low) / (high - low); };

  const Frame frame;
  std::string svg =
      OpenSvg(frame, "Training loss by step",
              absl::StrFormat("From %.3f to %.3f nats per token in %d steps.", points.front().loss,
                              points.back().loss, step_loss.size()));
  for (double tick : LinearTicks(low, high, 5)) {
    AppendYTick(frame, y(tick), absl::StrFormat("%.4g", tick), "grid", svg);
  }
  AppendXTick(frame, 0, "1", svg);
  for (double tick : LinearTicks(1, last_step, 5)) {
    const double share = x(tick);
    if (share > 0.06 && share < 0.92) AppendXTick(frame, share, absl::StrCat(tick), svg);
  }
  AppendXTick(frame, 1, absl::StrCat(last_step), svg);
  AppendXLabel(frame, "training step", svg);

  for (const Point& point : points) {
    absl::StrAppendFormat(&svg, "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\"/>",
                          frame.X(x(point.step)), frame.Y(y(point.loss)));
  }
  svg += "<polyline class=\"curve\" points=\"";
  for (const Point& point : RunningMean(points, std::max<size_t>(points.size() / 12, 1))) {
    absl::StrAppendFormat(&svg, "%.1f,%.1f ", frame.X(x(point.step)), frame.Y(y(point.loss)));
  }
  svg += "\"/></svg>";
  return svg;
}

std::string ScaleRatioPlot(const std::vector<SiteReport>& sites, SiteKind kind, double low,
                           double high) {
  Frame frame;
  frame.height = 160;
  int last_layer = 1;
  for (const SiteReport& site : sites) last_layer = std::max(last_layer, site.site.layer);
  const auto x = [&](double layer) { return 0.02 + 0.96 * layer / last_layer; };
  const auto y = [&](double ratio) { return std::log(ratio / low) / std::log(high / low); };

  std::string svg = OpenSvg(frame, absl::StrCat("Trained over initial scale, ", SiteKindName(kind)),
                            "One mark for each layer; every figure is in the table of all sites.");
  for (double tick : {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0}) {
    if (tick < low || tick > high) continue;
    AppendYTick(frame, y(tick), absl::StrCat(tick, "&#215;"), tick == 1 ? "one" : "grid", svg);
  }
  for (double tick : LinearTicks(0, last_layer, 6)) {
    if (tick == std::floor(tick)) AppendXTick(frame, x(tick), absl::StrCat(tick), svg);
  }
  AppendXLabel(frame, "layer", svg);

  for (const SiteReport& site : sites) {
    const double ratio = static_cast<double>(site.scale) / site.initial_scale;
    if (site.site.kind != kind || !std::isfinite(ratio) || ratio <= 0) continue;
    const double at_x = frame.X(x(site.site.layer));
    const double at_y = frame.Y(std::clamp(y(ratio), 0.0, 1.0));
    absl::StrAppendFormat(
        &svg,
        "<g><title>%s: %.6g to %.6g (%.3f&#215;)</title><line class=\"stem\" x1=\"%.1f\" "
        "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" "
        "r=\"3\"/></g>",
        EscapeHtml(SiteName(site.site)), site.initial_scale, site.scale, ratio, at_x, at_x,
        frame.Y(y(1)), at_y, at_x, at_y);
  }
  svg += "</svg>";
  return svg;
}

}  // namespace sasq
