// What calibration sees: for each site, how large its activations are. One pass over the windows
// serves every static method, with the first token of each window counted in or left out.
//
// A window that begins "a a a b" has its first token three times: attention over copies of one
// value gives that value, so the copies have the first token's activations, massive ones included.
// Such copies count as first tokens: one window in 32 of WikiText-2 begins so, and would spoil the
// scales that are meant to be free of them.
#ifndef SASQ_QUANT_METHODS_ACTIVATION_STATISTICS_H_
#define SASQ_QUANT_METHODS_ACTIVATION_STATISTICS_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

// Counts of |x| in fixed bins that do not depend on the data or on the order of arrival: 64 bins an
// octave (the float's exponent and its 6 top mantissa bits) from 2^-24 to 2^24; what is smaller
// falls into the first bin, what is larger into the last.
class MagnitudeHistogram {
 public:
  static constexpr int kBinsPerOctave = 64;
  static constexpr int kMinExponent = -24;
  static constexpr int kMaxExponent = 24;
  static constexpr int kBinCount = (kMaxExponent - kMinExponent) * kBinsPerOctave + 1;

  MagnitudeHistogram() : counts_(kBinCount, 0) {}
  // `values` must be finite.
  void Add(absl::Span<const float> values);
  void Merge(const MagnitudeHistogram& other);

  absl::Span<const int64_t> counts() const { return counts_; }
  // Bin i holds magnitudes in [LowerBound(i), LowerBound(i + 1)).
  static double LowerBound(int bin);

 private:
  std::vector<int64_t> counts_;
};

// A token with a large activation.
struct OutlierToken {
  int32_t token = 0;
  int32_t position = 0;  // in its window
  float magnitude = 0;
};

// One site.
struct SiteStatistics {
  static constexpr size_t kOutlierCount = 4;

  double absmax_sum = 0;                // sum over windows of the window's largest |x|
  double absmax_sum_without_first = 0;  // the same without the first token
  float absmax = 0;                     // of all windows
  float absmax_without_first = 0;
  MagnitudeHistogram first;            // |x| of first tokens
  MagnitudeHistogram rest;             // |x| of all others
  std::vector<float> channel_absmax;   // largest |x| of each column but of first tokens
  std::vector<OutlierToken> outliers;  // at most kOutlierCount tokens of largest |x|, falling
};

struct ActivationStatistics {
  int64_t window_count = 0;
  int64_t token_count = 0;
  std::vector<SiteStatistics> sites;  // in the order of Model::sites()
  double wall_seconds = 0;            // that collecting took
  double cpu_seconds = 0;
};

struct CalibrationOptions {
  // Keys and values that every window follows. Null: none; windows have first tokens only then.
  const KvCache* prefix = nullptr;
  std::stop_token stop;
  // Called after each window with the number done. May be null.
  std::function<void(int64_t windows_done)> on_window;
};

// Runs the unquantized model over `windows`, each of at least 2 tokens. An activation that is not
// finite gives INVALID_ARGUMENT with the reason INVALID_MODEL, naming the site; CANCELLED when
// `stop` is asked for.
absl::StatusOr<ActivationStatistics> CollectActivationStatistics(
    std::shared_ptr<const Model> model, absl::Span<const absl::Span<const int32_t>> windows,
    const CalibrationOptions& options = {});

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_ACTIVATION_STATISTICS_H_
