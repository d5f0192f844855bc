#include "quant/methods/static_scales.h"

#include <algorithm>
#include <cmath>

#include "common/status_macros.h"
#include "quant/format/site_rule.h"

namespace sasq {
namespace {

// Integral of (u - round(u))^2 over [0, t]. A whole period around an integer contributes 1/12.
double RoundingErrorIntegral(double t) {
  const double nearest = std::nearbyint(t);
  const double rest = t - nearest;
  return nearest / 12 + rest * rest * rest / 3;
}

// Integral of the squared error over magnitudes [low, high], in units of scale^3: rounding below
// the clip, the distance to the largest code above it.
double ErrorIntegral(double low, double high, double largest_code) {
  const double inside = RoundingErrorIntegral(std::min(high, largest_code)) -
                        RoundingErrorIntegral(std::min(low, largest_code));
  const double above_low = std::max(low - largest_code, 0.0);
  const double above_high = std::max(high - largest_code, 0.0);
  return inside + (above_high * above_high * above_high - above_low * above_low * above_low) / 3;
}

// A histogram without its empty bins, values spread evenly within a bin.
struct Bin {
  double low;
  double high;
  double count;
};

std::vector<Bin> FilledBins(const MagnitudeHistogram* first, const MagnitudeHistogram* rest) {
  std::vector<Bin> bins;
  for (int i = 1; i < MagnitudeHistogram::kBinCount; ++i) {  // bin 0 is zero, without error
    int64_t count = 0;
    if (first != nullptr) count += first->counts()[static_cast<size_t>(i)];
    if (rest != nullptr) count += rest->counts()[static_cast<size_t>(i)];
    if (count == 0) continue;
    bins.push_back({MagnitudeHistogram::LowerBound(i), MagnitudeHistogram::LowerBound(i + 1),
                    static_cast<double>(count)});
  }
  return bins;
}

std::vector<Bin> FilledBins(const SiteStatistics& site, bool without_first) {
  return FilledBins(without_first ? nullptr : &site.first, &site.rest);
}

double SquaredError(absl::Span<const Bin> bins, double scale, double largest_code) {
  double error = 0;
  for (const Bin& bin : bins) {
    error += bin.count * ErrorIntegral(bin.low / scale, bin.high / scale, largest_code) /
             (bin.high - bin.low);
  }
  return error * scale * scale * scale;
}

// Sum of x^2, values spread evenly within a bin.
double Energy(absl::Span<const Bin> bins) {
  double energy = 0;
  for (const Bin& bin : bins) {
    energy += bin.count * (bin.low * bin.low + bin.low * bin.high + bin.high * bin.high) / 3;
  }
  return energy;
}

// Clips are tried from the largest magnitude down to 2^-16 of it, each 1.5% below the last.
double MseClip(absl::Span<const Bin> bins, double largest_code) {
  constexpr double kRatio = 0.985;
  constexpr double kSmallestShare = 1.0 / (1 << 16);
  if (bins.empty()) return 0;
  const double largest = bins.back().high;
  double best_clip = 0;
  double best_error = INFINITY;
  for (double share = 1; share >= kSmallestShare; share *= kRatio) {
    const double clip = largest * share;
    const double error = SquaredError(bins, clip / largest_code, largest_code);
    if (error < best_error) {
      best_error = error;
      best_clip = clip;
    }
  }
  return best_clip;
}

// Zeros count as values that are not clipped.
double PercentileClip(const SiteStatistics& site, bool without_first, double percentile) {
  int64_t total = 0;
  for (const int64_t count : site.rest.counts()) total += count;
  if (!without_first) {
    for (const int64_t count : site.first.counts()) total += count;
  }
  double above = static_cast<double>(total) * (1 - percentile / 100);
  const std::vector<Bin> bins = FilledBins(site, without_first);
  for (size_t i = bins.size(); i-- > 0;) {
    above -= bins[i].count;
    if (above <= 0) return bins[i].high;
  }
  return 0;
}

double NoiseShare(const MagnitudeHistogram& histogram, float scale, double largest_code) {
  const std::vector<Bin> bins = FilledBins(nullptr, &histogram);
  const double energy = Energy(bins);
  return energy > 0 ? SquaredError(bins, static_cast<double>(scale), largest_code) / energy : 0;
}

double Clip(const SiteStatistics& site, int64_t window_count, const ScaleRuleOptions& options) {
  switch (options.rule) {
    case v1::SCALE_RULE_ABSMAX_MEAN:
      return (options.without_first ? site.absmax_sum_without_first : site.absmax_sum) /
             static_cast<double>(window_count);
    case v1::SCALE_RULE_ABSMAX_MAX:
      return static_cast<double>(options.without_first ? site.absmax_without_first : site.absmax);
    case v1::SCALE_RULE_PERCENTILE:
      return PercentileClip(site, options.without_first, options.percentile);
    default:
      return MseClip(FilledBins(site, options.without_first), LargestCode(options.bits));
  }
}

}  // namespace

std::vector<float> StaticScales(const ActivationStatistics& statistics,
                                const ScaleRuleOptions& options) {
  SASQ_CHECK(statistics.window_count > 0);
  std::vector<float> scales;
  for (const SiteStatistics& site : statistics.sites) {
    const float scale = static_cast<float>(Clip(site, statistics.window_count, options) /
                                           LargestCode(options.bits));
    scales.push_back(scale > 0 ? scale : 1);
  }
  return scales;
}

QuantizationError ExpectedError(const SiteStatistics& site, float scale, int bits,
                                bool without_first) {
  const double largest_code = LargestCode(bits);
  const std::vector<Bin> bins = FilledBins(site, without_first);
  const double clip = (largest_code + 0.5) * static_cast<double>(scale);
  double count = 0;
  double clipped = 0;
  for (const Bin& bin : bins) {
    count += bin.count;
    clipped += bin.count * std::clamp((bin.high - clip) / (bin.high - bin.low), 0.0, 1.0);
  }
  count += static_cast<double>(site.rest.counts()[0]);
  if (!without_first) count += static_cast<double>(site.first.counts()[0]);
  const double noise = SquaredError(bins, static_cast<double>(scale), largest_code);
  QuantizationError error;
  error.clipped_share = count > 0 ? clipped / count : 0;
  error.signal_to_noise_db = 10 * std::log10(Energy(bins) / noise);
  error.rest_noise_share = NoiseShare(site.rest, scale, largest_code);
  error.first_noise_share = NoiseShare(site.first, scale, largest_code);
  return error;
}

}  // namespace sasq
