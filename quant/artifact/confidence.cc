#include "quant/artifact/confidence.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr size_t kResampleCount = 10'000;
constexpr size_t kTailCount = kResampleCount / 40;  // 2.5% beyond each end
constexpr size_t kMostWindowsOfExactTest = 14;
constexpr uint64_t kRandomFlipCount = 20'000;
constexpr uint64_t kSeed = 20'251'214;

double Mean(absl::Span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Of the mean of `values`.
Interval BootstrapInterval(absl::Span<const double> values) {
  // The engine's output is the same everywhere; the bias of the remainder is below 2^-40.
  std::mt19937_64 random(kSeed);
  std::vector<double> means(kResampleCount);
  for (double& mean : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[random() % values.size()];
    mean = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  return {means[kTailCount], means[kResampleCount - 1 - kTailCount]};
}

// The sum of `differences` with random signs; a bit of `flips` that is set changes one.
class SignFlips {
 public:
  explicit SignFlips(absl::Span<const double> differences) : differences_(differences) {
    // Sums of the same numbers in other signs are equal but for rounding.
    double magnitude = 0;
    for (const double difference : differences) magnitude += std::abs(difference);
    const double sum = Mean(differences) * static_cast<double>(differences.size());
    bound_ = std::abs(sum) - magnitude * 1e-12;
  }

  // Whether the sum with other signs is at least as far from 0. `next_bits` gives 64 signs.
  template <typename NextBits>
  bool IsAsExtreme(NextBits next_bits) const {
    double sum = 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < differences_.size(); ++i) {
      bits = i % 64 == 0 ? next_bits() : bits >> 1;
      sum += bits & 1 ? -differences_[i] : differences_[i];
    }
    return std::abs(sum) >= bound_;
  }

 private:
  const absl::Span<const double> differences_;
  double bound_ = 0;
};

double SignFlipPValue(absl::Span<const double> differences) {
  const SignFlips flips(differences);
  uint64_t extreme_count = 0;
  if (differences.size() <= kMostWindowsOfExactTest) {
    const uint64_t pattern_count = uint64_t{1} << differences.size();
    for (uint64_t pattern = 0; pattern < pattern_count; ++pattern) {
      extreme_count += flips.IsAsExtreme([pattern] { return pattern; });
    }
    return static_cast<double>(extreme_count) / static_cast<double>(pattern_count);
  }
  std::mt19937_64 random(kSeed);
  for (uint64_t flip = 0; flip < kRandomFlipCount; ++flip) {
    extreme_count += flips.IsAsExtreme([&random] { return random(); });
  }
  return static_cast<double>(extreme_count + 1) / static_cast<double>(kRandomFlipCount + 1);
}

}  // namespace

std::optional<Interval> PerplexityInterval(absl::Span<const double> window_losses) {
  if (window_losses.size() < 2) return std::nullopt;
  std::vector<double> losses(window_losses.begin(), window_losses.end());
  for (double& loss : losses) {
    if (std::isnan(loss)) loss = std::numeric_limits<double>::infinity();
  }
  const Interval mean = BootstrapInterval(losses);
  return Interval{std::exp(mean.low), std::exp(mean.high)};
}

std::optional<PairedDifference> ComparePaired(absl::Span<const double> window_losses,
                                              absl::Span<const double> other_window_losses) {
  SASQ_CHECK(window_losses.size() == other_window_losses.size());
  if (window_losses.size() < 2) return std::nullopt;
  std::vector<double> differences(window_losses.size());
  for (size_t i = 0; i < differences.size(); ++i) {
    differences[i] = window_losses[i] - other_window_losses[i];
    if (!std::isfinite(differences[i])) return std::nullopt;
  }
  return PairedDifference{Mean(differences), BootstrapInterval(differences),
                          SignFlipPValue(differences)};
}

}  // namespace sasq
