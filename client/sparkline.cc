#include "client/sparkline.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

constexpr const char* kBlocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr const char* kAscii[] = {"_", ".", ",", "-", "=", "+", "*", "#"};
constexpr int kLevels = 8;

}  // namespace

std::string RenderSparkline(absl::Span<const double> values, int columns, const TextStyle& style) {
  if (values.size() < 2 || columns < 1) return "";
  const auto count = std::min(values.size(), static_cast<size_t>(columns));
  values.remove_prefix(values.size() - count);
  double low = INFINITY, high = -INFINITY;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  std::string line;
  for (const double value : values) {
    if (!std::isfinite(value)) {
      line += '!';
      continue;
    }
    const double share = high > low ? (value - low) / (high - low) : 0.5;
    const int level = std::min(kLevels - 1, static_cast<int>(share * kLevels));
    absl::StrAppend(&line, style.utf8 ? kBlocks[level] : kAscii[level]);
  }
  return line;
}

}  // namespace sasq
