#include "quant/methods/activation_statistics.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/model/forward.h"
#include "quant/model/site_executor.h"
#include "quant/ops/parallel_for.h"

namespace sasq {
namespace {

constexpr int kMantissaBits = 23;
constexpr int kExponentBias = 127;
constexpr int kBinShift = kMantissaBits - 6;
static_assert(1 << 6 == MagnitudeHistogram::kBinsPerOctave);

// The bin of |value|: its bits without sign and without the low mantissa bits, counted from those
// of 2^kMinExponent; bin 0 is what lies below.
int BinOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  constexpr int kFirst = (kExponentBias + MagnitudeHistogram::kMinExponent)
                         << (kMantissaBits - kBinShift);
  const int bin = static_cast<int>((bits & 0x7fffffff) >> kBinShift) - kFirst + 1;
  return std::clamp(bin, 0, MagnitudeHistogram::kBinCount - 1);
}

float AbsMax(absl::Span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

bool AllFinite(absl::Span<const float> values) {
  bool finite = true;
  for (const float value : values) finite &= std::isfinite(value);
  return finite;
}

// Watches the sites of a float forward pass.
class CalibratingExecutor final : public SiteExecutor {
 public:
  CalibratingExecutor(std::shared_ptr<const Model> model, ActivationStatistics& statistics)
      : float_executor_(MakeFloatExecutor(std::move(model))), statistics_(statistics) {}

  // The rows of the next sequence that count as its first token.
  void set_first_row_count(size_t count) { first_row_count_ = count; }

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) override {
    const at::Tensor dense = x.cpu().contiguous();
    const float* const values = dense.const_data_ptr<float>();
    const size_t value_count = static_cast<size_t>(dense.numel());
    const size_t first_count = first_row_count_ * static_cast<size_t>(dense.size(1));
    SASQ_RETURN_IF_ERROR(
        Observe(site, absl::MakeConstSpan(values, first_count),
                absl::MakeConstSpan(values + first_count, value_count - first_count)));
    return float_executor_->Run(site, x);
  }

 private:
  absl::Status Observe(SiteId site, absl::Span<const float> first, absl::Span<const float> rest) {
    constexpr size_t kBlock = 1 << 15;  // values that one thread takes at a time
    SiteStatistics& statistics = statistics_.sites[static_cast<size_t>(SiteIndex(site))];
    const float first_absmax = AbsMax(first);
    bool finite = AllFinite(first);
    statistics.first.Add(first);

    Mutex mutex;
    float rest_absmax = 0;
    const size_t block_count = (rest.size() + kBlock - 1) / kBlock;
    ops::TorchParallelFor(static_cast<int64_t>(block_count), [&](int64_t begin, int64_t end) {
      const size_t from = static_cast<size_t>(begin) * kBlock;
      const absl::Span<const float> part =
          rest.subspan(from, std::min(rest.size(), static_cast<size_t>(end) * kBlock) - from);
      MagnitudeHistogram histogram;
      histogram.Add(part);
      const float part_absmax = AbsMax(part);
      const bool part_finite = AllFinite(part);
      const MutexLock lock(&mutex);
      statistics.rest.Merge(histogram);
      rest_absmax = std::max(rest_absmax, part_absmax);
      finite = finite && part_finite;
    });
    if (!finite) {
      return InvalidModel(absl::StrCat(
          "the unquantized model's activations at ", SiteName(site),
          " are not finite: its weights are damaged, or it overflows float32 on this text"));
    }
    statistics.absmax_sum += std::max(first_absmax, rest_absmax);
    statistics.absmax_sum_without_first += rest_absmax;
    return absl::OkStatus();
  }

  const std::unique_ptr<SiteExecutor> float_executor_;
  ActivationStatistics& statistics_;
  size_t first_row_count_ = 1;
};

// How often the first token stands at the beginning: a token that sees nothing but copies of itself
// has the same activations in every layer.
size_t LeadingRepeats(absl::Span<const int32_t> window) {
  size_t count = 1;
  while (count < window.size() && window[count] == window[0]) ++count;
  return count;
}

}  // namespace

void MagnitudeHistogram::Add(absl::Span<const float> values) {
  for (const float value : values) ++counts_[static_cast<size_t>(BinOf(value))];
}

void MagnitudeHistogram::Merge(const MagnitudeHistogram& other) {
  for (size_t bin = 0; bin < counts_.size(); ++bin) counts_[bin] += other.counts_[bin];
}

double MagnitudeHistogram::LowerBound(int bin) {
  if (bin == 0) return 0;
  const int octave = (bin - 1) / kBinsPerOctave;
  const int part = (bin - 1) % kBinsPerOctave;
  return std::ldexp(1 + static_cast<double>(part) / kBinsPerOctave, kMinExponent + octave);
}

absl::StatusOr<ActivationStatistics> CollectActivationStatistics(
    std::shared_ptr<const Model> model, absl::Span<const absl::Span<const int32_t>> windows,
    std::stop_token stop, const std::function<void(int64_t windows_done)>& on_window) {
  if (windows.empty()) return absl::InvalidArgumentError("there are no calibration windows");
  ActivationStatistics statistics;
  statistics.sites.resize(model->sites().size());
  CalibratingExecutor executor(model, statistics);
  for (const absl::Span<const int32_t> window : windows) {
    if (window.size() < 2) {
      return absl::InvalidArgumentError("a calibration window has fewer than 2 tokens");
    }
    executor.set_first_row_count(LeadingRepeats(window));
    const absl::StatusOr<at::Tensor> hidden = Forward(*model, window, executor, stop);
    SASQ_RETURN_IF_ERROR(hidden.status());
    ++statistics.window_count;
    if (on_window) on_window(statistics.window_count);
  }
  return statistics;
}

}  // namespace sasq
