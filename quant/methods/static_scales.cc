#include "quant/methods/static_scales.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr double kLargestCode = 127;

// Integral of (u - round(u))^2 over [0, t]. A whole period around an integer contributes 1/12.
double RoundingErrorIntegral(double t) {
  const double nearest = std::nearbyint(t);
  const double rest = t - nearest;
  return nearest / 12 + rest * rest * rest / 3;
}

// Integral of the squared error over magnitudes [low, high], in units of scale^3: rounding below
// the clip, the distance to the largest code above it.
double ErrorIntegral(double low, double high) {
  const double inside = RoundingErrorIntegral(std::min(high, kLargestCode)) -
                        RoundingErrorIntegral(std::min(low, kLargestCode));
  const double above_low = std::max(low - kLargestCode, 0.0);
  const double above_high = std::max(high - kLargestCode, 0.0);
  return inside + (above_high * above_high * above_high - above_low * above_low * above_low) / 3;
}

// A histogram without its empty bins, values spread evenly within a bin.
struct Bin {
  double low;
  double high;
  double count;
};

std::vector<Bin> FilledBins(const SiteStatistics& site, bool without_first) {
  std::vector<Bin> bins;
  for (int i = 1; i < MagnitudeHistogram::kBinCount; ++i) {  // bin 0 is zero, without error
    int64_t count = site.rest.counts()[static_cast<size_t>(i)];
    if (!without_first) count += site.first.counts()[static_cast<size_t>(i)];
    if (count == 0) continue;
    bins.push_back({MagnitudeHistogram::LowerBound(i), MagnitudeHistogram::LowerBound(i + 1),
                    static_cast<double>(count)});
  }
  return bins;
}

double SquaredError(absl::Span<const Bin> bins, double scale) {
  double error = 0;
  for (const Bin& bin : bins) {
    error += bin.count * ErrorIntegral(bin.low / scale, bin.high / scale) / (bin.high - bin.low);
  }
  return error * scale * scale * scale;
}

// Clips are tried from the largest magnitude down to 2^-16 of it, each 1.5% below the last.
double BestScale(absl::Span<const Bin> bins) {
  constexpr double kRatio = 0.985;
  constexpr double kSmallestShare = 1.0 / (1 << 16);
  if (bins.empty()) return 1;
  const double largest = bins.back().high;
  double best_scale = 0;
  double best_error = INFINITY;
  for (double share = 1; share >= kSmallestShare; share *= kRatio) {
    const double scale = largest * share / kLargestCode;
    const double error = SquaredError(bins, scale);
    if (error < best_error) {
      best_error = error;
      best_scale = scale;
    }
  }
  return best_scale;
}

}  // namespace

std::vector<float> AbsmaxScales(const ActivationStatistics& statistics, bool without_first) {
  SASQ_CHECK(statistics.window_count > 0);
  std::vector<float> scales;
  for (const SiteStatistics& site : statistics.sites) {
    const double sum = without_first ? site.absmax_sum_without_first : site.absmax_sum;
    const double mean = sum / static_cast<double>(statistics.window_count);
    const float scale = static_cast<float>(mean / kLargestCode);
    scales.push_back(scale > 0 ? scale : 1);
  }
  return scales;
}

std::vector<float> MseScales(const ActivationStatistics& statistics, bool without_first) {
  std::vector<float> scales;
  for (const SiteStatistics& site : statistics.sites) {
    scales.push_back(static_cast<float>(BestScale(FilledBins(site, without_first))));
  }
  return scales;
}

}  // namespace sasq
