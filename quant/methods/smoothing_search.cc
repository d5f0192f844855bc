#include "quant/methods/smoothing_search.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/status_macros.h"
#include "quant/format/site_rule.h"
#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_parts.h"
#include "quant/model/site_executor.h"
#include "quant/ops/ops.h"

namespace sasq {
namespace {

constexpr double kSmallestMaximum = 1e-5;
constexpr size_t kAlphaCount = 11;  // 0, 0.1 ... 1
constexpr size_t kWindowCount = 2;
constexpr int64_t kRowsPerWindow = 128;
constexpr int kBits = 8;

double AlphaAt(size_t index) { return static_cast<double>(index) / (kAlphaCount - 1); }

double SumOfSquares(const at::Tensor& x) { return x.square().sum().item<double>(); }

// channel_absmax, float64 on the CPU.
at::Tensor ChannelAbsmax(const SiteStatistics& site) {
  const int64_t channels = static_cast<int64_t>(site.channel_absmax.size());
  return at::from_blob(const_cast<float*>(site.channel_absmax.data()), {channels}, at::kFloat)
      .to(at::kDouble);
}

// Tries every alpha on the rows that pass a site of a float forward pass.
class AlphaProbe final : public SiteExecutor {
 public:
  AlphaProbe(const Model& model, const ActivationStatistics& statistics,
             absl::Span<const SiteKind> kinds, std::stop_token stop)
      : statistics_(statistics),
        kinds_(kinds.begin(), kinds.end()),
        stop_(std::move(stop)),
        linears_(model) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    const int64_t rows = x.size(0) - leading_rows;
    if (rows > 0 && std::find(kinds_.begin(), kinds_.end(), site.kind) != kinds_.end()) {
      const int64_t step = (rows + kRowsPerWindow - 1) / kRowsPerWindow;
      SASQ_RETURN_IF_ERROR(Try(site, x.slice(0, leading_rows, x.size(0), step)));
    }
    return linears_.Run(site, x);
  }

  FoundAlpha Best(SiteKind kind) const {
    const Errors& errors = errors_[static_cast<size_t>(kind)];
    const double count = std::max(errors.count, 1.0);
    FoundAlpha found = {kind, 0, INFINITY, errors.without / count};
    for (size_t i = 0; i < kAlphaCount; ++i) {
      const double error = errors.by_alpha[i] / count;
      if (error < found.error) {
        found.alpha = AlphaAt(i);
        found.error = error;
      }
    }
    return found;
  }

 private:
  struct Errors {
    std::array<double, kAlphaCount> by_alpha{};
    double without = 0;
    double count = 0;
  };

  absl::Status Try(SiteId site, const at::Tensor& x) {
    const SiteStatistics& seen = statistics_.sites[static_cast<size_t>(SiteIndex(site))];
    const at::Tensor weights = linears_.Weights(site);
    const at::Tensor want = at::linear(x, weights);
    const double energy = SumOfSquares(want);
    if (energy == 0) return absl::OkStatus();
    const at::Tensor absmax = ChannelAbsmax(seen).to(at::kFloat).to(x.device());
    const auto error = [&](const at::Tensor& factors) {
      const double scale = (absmax / factors).max().item<double>() / LargestCode(kBits);
      const at::Tensor codes = ops::QuantizeStatic(x / factors, scale > 0 ? scale : 1);
      const ops::Quantized rows = QuantizeRows(weights * factors, kBits);
      const at::Tensor got =
          at::linear(codes.to(at::kFloat) * scale, rows.codes.to(at::kFloat)) * rows.scales;
      return SumOfSquares(got - want) / energy;
    };
    Errors& errors = errors_[static_cast<size_t>(site.kind)];
    errors.without += error(at::ones({x.size(1)}, x.options()));
    for (size_t i = 0; i < kAlphaCount; ++i) {
      if (stop_.stop_requested()) return absl::CancelledError("stopped in the search for alpha");
      errors.by_alpha[i] += error(SmoothingFactors(seen, weights, AlphaAt(i)));
    }
    ++errors.count;
    return absl::OkStatus();
  }

  const ActivationStatistics& statistics_;
  const std::vector<SiteKind> kinds_;
  const std::stop_token stop_;
  FloatLinears linears_;
  std::array<Errors, kSiteKindCount> errors_;  // by kind
};

}  // namespace

at::Tensor SmoothingFactors(const SiteStatistics& site, const at::Tensor& weights, double alpha) {
  const at::Tensor x = ChannelAbsmax(site).clamp_min(kSmallestMaximum);
  const at::Tensor w = at::amax(weights.abs(), 0).cpu().to(at::kDouble).clamp_min(kSmallestMaximum);
  return (at::pow(x, alpha) / at::pow(w, 1 - alpha)).to(weights.device(), at::kFloat);
}

absl::StatusOr<std::vector<FoundAlpha>> SearchAlphas(
    const std::shared_ptr<const Model>& model, const ActivationStatistics& statistics,
    absl::Span<const absl::Span<const int32_t>> windows, absl::Span<const SiteKind> kinds,
    std::stop_token stop) {
  AlphaProbe probe(*model, statistics, kinds, stop);
  for (const absl::Span<const int32_t> window : windows.subspan(0, kWindowCount)) {
    SASQ_RETURN_IF_ERROR(Forward(*model, window, probe, {.stop = stop}).status());
  }
  std::vector<FoundAlpha> found;
  for (const SiteKind kind : kinds) found.push_back(probe.Best(kind));
  return found;
}

}  // namespace sasq
