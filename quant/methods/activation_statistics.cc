#include "quant/methods/activation_statistics.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "common/resource_usage.h"
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

// Keeps the tokens of largest magnitude, one entry a token.
void AddOutlier(const OutlierToken& outlier, std::vector<OutlierToken>& outliers) {
  const auto place = std::find_if(outliers.begin(), outliers.end(), [&](const OutlierToken& other) {
    return other.magnitude < outlier.magnitude;
  });
  outliers.insert(place, outlier);
  if (outliers.size() > SiteStatistics::kOutlierCount) outliers.pop_back();
}

// What some rows of a site add.
struct RowsSeen {
  explicit RowsSeen(int64_t columns) : channel_absmax(static_cast<size_t>(columns), 0.0f) {}

  MagnitudeHistogram histogram;
  std::vector<float> channel_absmax;
  std::vector<OutlierToken> outliers;
  bool finite = true;

  float absmax() const { return outliers.empty() ? 0 : outliers.front().magnitude; }

  void Add(absl::Span<const float> row, int32_t token, int64_t position) {
    histogram.Add(row);
    finite = finite && AllFinite(row);
    for (size_t i = 0; i < row.size(); ++i) {
      channel_absmax[i] = std::max(channel_absmax[i], std::abs(row[i]));
    }
    AddOutlier({token, static_cast<int32_t>(position), AbsMax(row)}, outliers);
  }

  void Merge(const RowsSeen& other) {
    histogram.Merge(other.histogram);
    finite = finite && other.finite;
    for (size_t i = 0; i < channel_absmax.size(); ++i) {
      channel_absmax[i] = std::max(channel_absmax[i], other.channel_absmax[i]);
    }
    for (const OutlierToken& outlier : other.outliers) AddOutlier(outlier, outliers);
  }
};

// Watches the sites of a float forward pass.
class CalibratingExecutor final : public SiteExecutor {
 public:
  CalibratingExecutor(std::shared_ptr<const Model> model, ActivationStatistics& statistics)
      : float_executor_(MakeFloatExecutor(std::move(model))), statistics_(statistics) {}

  void set_window(absl::Span<const int32_t> window) { window_ = window; }

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    SASQ_RETURN_IF_ERROR(Observe(site, x.cpu().contiguous(), leading_rows));
    return float_executor_->Run(site, x, leading_rows);
  }

 private:
  RowsSeen See(const at::Tensor& x, int64_t begin, int64_t end) const {
    const size_t columns = static_cast<size_t>(x.size(1));
    RowsSeen seen(x.size(1));
    for (int64_t row = begin; row < end; ++row) {
      const size_t index = static_cast<size_t>(row);
      seen.Add(absl::MakeConstSpan(x.const_data_ptr<float>() + index * columns, columns),
               window_[index], row);
    }
    return seen;
  }

  absl::Status Observe(SiteId site, const at::Tensor& x, int64_t leading_rows) {
    const RowsSeen first = See(x, 0, leading_rows);
    Mutex mutex;
    RowsSeen rest(x.size(1));
    ops::TorchParallelFor(x.size(0) - leading_rows, [&](int64_t begin, int64_t end) {
      const RowsSeen part = See(x, leading_rows + begin, leading_rows + end);
      const MutexLock lock(&mutex);
      rest.Merge(part);
    });
    if (!first.finite || !rest.finite) {
      return InvalidModel(absl::StrCat(
          "the unquantized model's activations at ", SiteName(site),
          " are not finite: its weights are damaged, or it overflows float32 on this text"));
    }
    Merge(first, rest, statistics_.sites[static_cast<size_t>(SiteIndex(site))]);
    return absl::OkStatus();
  }

  static void Merge(const RowsSeen& first, const RowsSeen& rest, SiteStatistics& site) {
    site.first.Merge(first.histogram);
    site.rest.Merge(rest.histogram);
    site.absmax_sum += std::max(first.absmax(), rest.absmax());
    site.absmax_sum_without_first += rest.absmax();
    site.absmax = std::max({site.absmax, first.absmax(), rest.absmax()});
    site.absmax_without_first = std::max(site.absmax_without_first, rest.absmax());
    site.channel_absmax.resize(rest.channel_absmax.size(), 0);
    for (size_t i = 0; i < site.channel_absmax.size(); ++i) {
      site.channel_absmax[i] = std::max(site.channel_absmax[i], rest.channel_absmax[i]);
    }
    for (const OutlierToken& outlier : first.outliers) AddOutlier(outlier, site.outliers);
    for (const OutlierToken& outlier : rest.outliers) AddOutlier(outlier, site.outliers);
  }

  const std::unique_ptr<SiteExecutor> float_executor_;
  ActivationStatistics& statistics_;
  absl::Span<const int32_t> window_;
};

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
    const CalibrationOptions& options) {
  if (windows.empty()) return absl::InvalidArgumentError("there are no calibration windows");
  const Stopwatch stopwatch;
  const double cpu_seconds_before = ProcessCpuSeconds();
  ActivationStatistics statistics;
  statistics.sites.resize(model->sites().size());
  CalibratingExecutor executor(model, statistics);
  for (const absl::Span<const int32_t> window : windows) {
    if (window.size() < 2) {
      return absl::InvalidArgumentError("a calibration window has fewer than 2 tokens");
    }
    executor.set_window(window);
    SASQ_RETURN_IF_ERROR(
        Forward(*model, window, executor, {.past = options.prefix, .stop = options.stop}).status());
    ++statistics.window_count;
    statistics.token_count += static_cast<int64_t>(window.size());
    if (options.on_window) options.on_window(statistics.window_count);
  }
  statistics.wall_seconds = stopwatch.Seconds();
  statistics.cpu_seconds = ProcessCpuSeconds() - cpu_seconds_before;
  return statistics;
}

}  // namespace sasq
