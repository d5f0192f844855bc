#include "quant/model/site_executor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/model/device_weights.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_parts.h"

namespace sasq {
namespace {

class FloatExecutor final : public SiteExecutor {
 public:
  explicit FloatExecutor(std::shared_ptr<const Model> model)
      : model_(std::move(model)), linears_(*model_) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t) override {
    return linears_.Run(site, x);
  }

 private:
  const std::shared_ptr<const Model> model_;
  FloatLinears linears_;
};

class QuantizedExecutor final : public SiteExecutor {
 public:
  QuantizedExecutor(std::shared_ptr<const QuantizedWeights> weights, QuantizationRules rules)
      : weights_(std::move(weights)), rules_(std::move(rules)), linears_(weights_->model()) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    const SiteRule& rule = rules_.sites[static_cast<size_t>(SiteIndex(site))];
    const int64_t float_rows = rules_.leading_tokens_float ? leading_rows : 0;
    const int bits = rules_.activation_bits;
    switch (rule.precision) {
      case SitePrecision::kStatic:
        return StaticInt8Linear(weights_->site(site), x, rule.scale, bits, float_rows);
      case SitePrecision::kDynamic:
        return DynamicInt8Linear(weights_->site(site), x, bits, float_rows);
      case SitePrecision::kFloat:
        return linears_.Run(site, x);
      case SitePrecision::kClipped:
        return linears_.Run(site, Clip(x, rule.scale, bits, float_rows));
    }
    SASQ_CHECK(false);
  }

 private:
  const std::shared_ptr<const QuantizedWeights> weights_;
  const QuantizationRules rules_;
  FloatLinears linears_;
};

}  // namespace

at::Tensor FloatLinears::Weights(SiteId site) {
  const Model::Parts& parts = model_.parts();
  const size_t index = static_cast<size_t>(SiteIndex(site));
  const SiteLinears& linears = parts.linears[index];
  if (parts.device_weights != nullptr) return parts.device_weights->Get(index, linears);
  const int64_t weight_count = linears.out_features * linears.in_features;
  if (!room_.defined() || room_.numel() < weight_count) {
    room_ = at::empty({weight_count}, at::kFloat);
  }
  const at::Tensor weights =
      room_.narrow(0, 0, weight_count).view({linears.out_features, linears.in_features});
  CopySiteWeights(linears, weights.mutable_data_ptr<float>());
  return weights;
}

at::Tensor FloatLinears::Run(SiteId site, const at::Tensor& x) {
  const Model::Parts& parts = model_.parts();
  const SiteLinears& linears = parts.linears[static_cast<size_t>(SiteIndex(site))];
  return at::linear(x, Weights(site), SiteBias(linears, parts.device));
}

at::Tensor Clip(const at::Tensor& x, float scale, int bits, int64_t float_rows) {
  const double largest = LargestCode(bits);
  at::Tensor clipped = at::clamp(x, -(largest + 1) * scale, largest * scale);
  if (float_rows > 0) clipped.narrow(0, 0, float_rows).copy_(x.narrow(0, 0, float_rows));
  return clipped;
}

std::unique_ptr<SiteExecutor> MakeFloatExecutor(std::shared_ptr<const Model> model) {
  return std::make_unique<FloatExecutor>(std::move(model));
}

absl::StatusOr<std::unique_ptr<SiteExecutor>> MakeQuantizedExecutor(
    std::shared_ptr<const QuantizedWeights> weights, QuantizationRules rules) {
  SASQ_RETURN_IF_ERROR(CheckRules(weights->model(), rules));
  return std::make_unique<QuantizedExecutor>(std::move(weights), std::move(rules));
}

absl::Status CheckRules(const Model& model, const QuantizationRules& rules) {
  const absl::Span<const SiteId> sites = model.sites();
  if (rules.sites.size() != sites.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("there are rules for ", rules.sites.size(), " sites, want ", sites.size()));
  }
  if (rules.activation_bits < kMinActivationBits || rules.activation_bits > kMaxActivationBits) {
    return absl::InvalidArgumentError(absl::StrCat("activation_bits is ", rules.activation_bits,
                                                   ", want ", kMinActivationBits, "..",
                                                   kMaxActivationBits));
  }
  for (size_t i = 0; i < sites.size(); ++i) {
    const SiteRule& rule = rules.sites[i];
    const bool has_scale =
        rule.precision == SitePrecision::kStatic || rule.precision == SitePrecision::kClipped;
    if (has_scale && !(std::isfinite(rule.scale) && rule.scale > 0)) {
      return absl::InvalidArgumentError(absl::StrCat("the scale of ", SiteName(sites[i]), " is ",
                                                     rule.scale, ", want a finite number above 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sasq
