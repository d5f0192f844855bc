#include "quant/model/site_executor.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_parts.h"

namespace sasq {
namespace {

class FloatExecutor final : public SiteExecutor {
 public:
  explicit FloatExecutor(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) override {
    const SiteLinears& linears = model_->parts().linears[static_cast<size_t>(SiteIndex(site))];
    const int64_t weight_count = linears.out_features * linears.in_features;
    if (!weights_.defined() || weights_.numel() < weight_count) {
      weights_ = at::empty({weight_count}, at::kFloat);
    }
    const at::Tensor weights =
        weights_.narrow(0, 0, weight_count).view({linears.out_features, linears.in_features});
    CopySiteWeights(linears, weights.mutable_data_ptr<float>());
    const at::Device device = model_->parts().device;
    return at::linear(x, weights.to(device), SiteBias(linears, device));
  }

 private:
  const std::shared_ptr<const Model> model_;
  at::Tensor weights_;  // room for the site that is being computed, on the CPU
};

class DynamicExecutor final : public SiteExecutor {
 public:
  DynamicExecutor(std::shared_ptr<const QuantizedWeights> weights, bool first_token_float)
      : weights_(std::move(weights)), first_token_float_(first_token_float) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) override {
    return DynamicInt8Linear(weights_->site(site), x, first_token_float_);
  }

 private:
  const std::shared_ptr<const QuantizedWeights> weights_;
  const bool first_token_float_;
};

class StaticExecutor final : public SiteExecutor {
 public:
  StaticExecutor(std::shared_ptr<const QuantizedWeights> weights, std::vector<float> scales,
                 bool first_token_float)
      : weights_(std::move(weights)),
        scales_(std::move(scales)),
        first_token_float_(first_token_float) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) override {
    return StaticInt8Linear(weights_->site(site), x, scales_[static_cast<size_t>(SiteIndex(site))],
                            first_token_float_);
  }

 private:
  const std::shared_ptr<const QuantizedWeights> weights_;
  const std::vector<float> scales_;
  const bool first_token_float_;
};

}  // namespace

std::unique_ptr<SiteExecutor> MakeFloatExecutor(std::shared_ptr<const Model> model) {
  return std::make_unique<FloatExecutor>(std::move(model));
}

std::unique_ptr<SiteExecutor> MakeDynamicExecutor(std::shared_ptr<const QuantizedWeights> weights,
                                                  bool first_token_float) {
  return std::make_unique<DynamicExecutor>(std::move(weights), first_token_float);
}

absl::StatusOr<std::unique_ptr<SiteExecutor>> MakeStaticExecutor(
    std::shared_ptr<const QuantizedWeights> weights, std::vector<float> scales,
    bool first_token_float) {
  SASQ_RETURN_IF_ERROR(CheckScales(weights->model(), scales));
  return std::make_unique<StaticExecutor>(std::move(weights), std::move(scales), first_token_float);
}

absl::Status CheckScales(const Model& model, absl::Span<const float> scales) {
  const absl::Span<const SiteId> sites = model.sites();
  if (scales.size() != sites.size()) {
    return absl::InvalidArgumentError(absl::StrCat("there are ", scales.size(), " scales, want ",
                                                   sites.size(), ", one for each site"));
  }
  for (size_t i = 0; i < scales.size(); ++i) {
    if (!std::isfinite(scales[i]) || scales[i] <= 0) {
      return absl::InvalidArgumentError(absl::StrCat("the scale of ", SiteName(sites[i]), " is ",
                                                     scales[i], ", want a finite number above 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace sasq
