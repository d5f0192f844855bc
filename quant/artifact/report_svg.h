// Coordinates, axes and ticks of the report's drawings. Colours come from the page's CSS classes,
// so that one drawing serves light and dark.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_SVG_H_
#define SASQ_QUANT_ARTIFACT_REPORT_SVG_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace sasq {

// One drawing's coordinates, in SVG units. The drawing scales to its container.
struct Frame {
  double width = 440;
  double height = 220;
  double left = 46;
  double right = 10;
  double top = 10;
  double bottom = 34;

  // Where a share of the axis lies, 0..1.
  double X(double share) const { return left + share * (width - left - right); }
  double Y(double share) const { return height - bottom - share * (height - top - bottom); }
};

// Round values from `low` to `high` (low < high), about `count` of them.
std::vector<double> LinearTicks(double low, double high, int count);

// Opens a drawing with its name and what it shows, for those who cannot see it. The caller closes
// it with `</svg>`.
std::string OpenSvg(const Frame& frame, absl::string_view title, absl::string_view description);

// `text` is HTML; `cls` is the line's class.
void AppendYTick(const Frame& frame, double share, absl::string_view text, absl::string_view cls,
                 std::string& svg);
void AppendXTick(const Frame& frame, double share, absl::string_view text, std::string& svg);
void AppendXLabel(const Frame& frame, absl::string_view text, std::string& svg);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_SVG_H_
