// Histogram of a site's magnitudes.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_plot.h"
#include "quant/artifact/report_svg.h"

namespace sasq {
namespace {

// Count 0 holds what is below this octave, the last one what is above all others.
constexpr int kFirstOctave = -12;

// Octaves that are drawn: from the first to the last with a count.
struct Octaves {
  int low = 0;   // index into the counts
  int high = 0;  // inclusive
  int64_t most = 0;

  double X(double magnitude) const {
    const double index = std::log2(magnitude) - kFirstOctave + 1;
    return std::clamp((index - low) / (high - low + 1), 0.0, 1.0);
  }
};

Octaves FindOctaves(const std::vector<int64_t>& counts) {
  Octaves octaves{static_cast<int>(counts.size()), -1, 0};
  for (int i = 0; i < static_cast<int>(counts.size()); ++i) {
    if (counts[i] <= 0) continue;
    octaves.low = std::min(octaves.low, i);
    octaves.high = std::max(octaves.high, i);
    octaves.most = std::max(octaves.most, counts[i]);
  }
  return octaves;
}

void AppendLimit(const Frame& frame, double share, absl::string_view text, absl::string_view cls,
                 std::string& svg) {
  const double x = frame.X(share);
  const bool right = share > 0.6;
  absl::StrAppendFormat(&svg,
                        "<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                        "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>",
                        cls, x, x, frame.Y(0), frame.top - 12, cls, right ? x - 4 : x + 4,
                        frame.top - 4, right ? "end" : "start", text);
}

}  // namespace

std::string MagnitudePlot(const SiteReport& site, int bits) {
  const std::vector<int64_t>& counts = site.octave_counts;
  const Octaves octaves = FindOctaves(counts);
  if (octaves.high < 0) return "";
  Frame frame;
  frame.height = 190;
  frame.top = 24;
  const double decades = std::ceil(std::log10(std::max<double>(octaves.most, 10)));
  const double largest_code = (1 << (bits - 1)) - 1;
  const double clip = site.scale * largest_code;
  std::string svg =
      OpenSvg(frame, absl::StrCat("Magnitudes at ", SiteName(site.site)),
              absl::StrFormat("Counts by octave; clipped above %.4g, rounded to zero below %.4g.",
                              clip, site.scale / 2));
  for (int decade = 0; decade <= decades; decade += decades > 5 ? 2 : 1) {
    AppendYTick(frame, decade / decades,
                absl::StrFormat("10<tspan dy=\"-4\" class=\"power\">%d"
                                "</tspan>",
                                decade),
                "grid", svg);
  }
  if (site.scale > 0) {
    const double zero = octaves.X(site.scale / 2);
    if (zero > 0) {
      absl::StrAppendFormat(&svg,
                            "<rect class=\"zero\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                            "height=\"%.1f\"><title>rounds to zero</title></rect>",
                            frame.X(0), frame.top, frame.X(zero) - frame.X(0),
                            frame.Y(0) - frame.top);
    }
  }
  const double width = (frame.X(1) - frame.X(0)) / (octaves.high - octaves.low + 1);
  for (int i = octaves.low; i <= octaves.high; ++i) {
    if (counts[i] <= 0) continue;
    const double top =
        frame.Y(std::max(std::log10(static_cast<double>(counts[i])) / decades, 0.01));
    const double lower = std::exp2(i - 1 + kFirstOctave);
    absl::StrAppendFormat(&svg,
                          "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"%.1f\"><title>from %.4g: %s</title></rect>",
                          site.scale > 0 && lower >= clip ? "bin over" : "bin",
                          frame.X(0) + (i - octaves.low) * width + 0.75, top, width - 1.5,
                          frame.Y(0) - top, i == 0 ? 0 : lower, FormatCount(counts[i]));
  }
  const int step = 2 + (octaves.high - octaves.low) / 10 * 2;
  for (int i = octaves.low; i <= octaves.high; ++i) {
    const int octave = i - 1 + kFirstOctave;
    if (i == 0 || octave % step != 0) continue;
    AppendXTick(frame, octaves.X(std::exp2(octave)), absl::StrFormat("%.2g", std::exp2(octave)),
                svg);
  }
  AppendXLabel(frame, "magnitude", svg);
  if (site.scale > 0) {
    AppendLimit(frame, octaves.X(clip), absl::StrFormat("clips at %.4g", clip), "clip", svg);
  }
  return svg + "</svg>";
}

}  // namespace sasq
