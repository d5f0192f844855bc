#include "quant/artifact/report_plot.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace sasq {
namespace {

// One drawing's coordinates, in SVG units. The drawing scales to its container.
struct Frame {
  double width = 440;
  double height = 220;
  double left = 46;
  double right = 10;
  double top = 10;
  double bottom = 34;

  double X(double share) const { return left + share * (width - left - right); }
  double Y(double share) const { return height - bottom - share * (height - top - bottom); }
};

// Round values from `low` to `high`, about `count` of them.
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

std::string Open(const Frame& frame, absl::string_view label) {
  return absl::StrFormat(
      "<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\" "
      "xmlns=\"http://www.w3.org/2000/svg\">",
      frame.width, frame.height, EscapeHtml(label));
}

void AppendYTick(const Frame& frame, double share, absl::string_view text, absl::string_view cls,
                 std::string* svg) {
  const double y = frame.Y(share);
  absl::StrAppendFormat(svg,
                        "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
                        cls, frame.X(0), frame.X(1), y, y, frame.X(0) - 6, y + 4, text);
}

void AppendXTick(const Frame& frame, double share, absl::string_view text, std::string* svg) {
  const absl::string_view anchor = share < 0.97 ? "middle" : "end";  // stays inside the drawing
  absl::StrAppendFormat(svg,
                        "<text class=\"tick\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
                        frame.X(share), frame.height - frame.bottom + 15, anchor, text);
}

void AppendXLabel(const Frame& frame, absl::string_view text, std::string* svg) {
  absl::StrAppendFormat(
      svg, "<text class=\"axis\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>",
      frame.X(0.5), frame.height - 4, text);
}

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
    const size_t reach = std::min({radius, i, points.size() - 1 - i});
    double sum = 0;
    for (size_t j = i - reach; j <= i + reach; ++j) sum += points[j].loss;
    means.push_back({points[i].step, sum / (2 * reach + 1)});
  }
  return means;
}

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

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
  std::string svg = Open(frame, absl::StrFormat("Training loss by step, from %.3f to %.3f nats",
                                                points.front().loss, points.back().loss));
  for (double tick : LinearTicks(low, high, 5)) {
    AppendYTick(frame, y(tick), absl::StrFormat("%.4g", tick), "grid", &svg);
  }
  AppendXTick(frame, 0, "1", &svg);
  for (double tick : LinearTicks(1, last_step, 5)) {
    const double share = x(tick);
    if (share > 0.06 && share < 0.92) AppendXTick(frame, share, absl::StrCat(tick), &svg);
  }
  AppendXTick(frame, 1, absl::StrCat(last_step), &svg);
  AppendXLabel(frame, "training step", &svg);

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

std::string ScaleRatioPlot(const std::vector<SiteTraining>& sites, SiteKind kind, double low,
                           double high) {
  Frame frame;
  frame.height = 160;
  int last_layer = 1;
  for (const SiteTraining& site : sites) last_layer = std::max(last_layer, site.site.layer);
  const auto x = [&](double layer) { return 0.02 + 0.96 * layer / last_layer; };
  const auto y = [&](double ratio) { return std::log(ratio / low) / std::log(high / low); };

  std::string svg = Open(
      frame, absl::StrCat("Trained over initial scale by layer, ", SiteKindName(kind), " sites"));
  for (double tick : {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0}) {
    if (tick < low || tick > high) continue;
    AppendYTick(frame, y(tick), absl::StrCat(tick, "&#215;"), tick == 1 ? "one" : "grid", &svg);
  }
  for (double tick : LinearTicks(0, last_layer, 6)) {
    if (tick == std::floor(tick)) AppendXTick(frame, x(tick), absl::StrCat(tick), &svg);
  }
  AppendXLabel(frame, "layer", &svg);

  for (const SiteTraining& site : sites) {
    const double ratio = static_cast<double>(site.trained_scale) / site.initial_scale;
    if (site.site.kind != kind || !std::isfinite(ratio) || ratio <= 0) continue;
    const double at_x = frame.X(x(site.site.layer));
    const double at_y = frame.Y(std::clamp(y(ratio), 0.0, 1.0));
    absl::StrAppendFormat(
        &svg,
        "<g><title>%s: %.6g to %.6g (%.3f&#215;)</title><line class=\"stem\" x1=\"%.1f\" "
        "x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/><circle class=\"mark\" cx=\"%.1f\" cy=\"%.1f\" "
        "r=\"3\"/></g>",
        EscapeHtml(SiteName(site.site)), site.initial_scale, site.trained_scale, ratio, at_x, at_x,
        frame.Y(y(1)), at_y, at_x, at_y);
  }
  svg += "</svg>";
  return svg;
}

}  // namespace sasq
