#include "quant/train/backward_weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>

#include <limits>
#include <utility>

#include "common/status_macros.h"
#include "quant/model/quantized_site.h"
#include "quant/model/torch_guard.h"

namespace sasq {

BackwardWeights::BackwardWeights(std::shared_ptr<const QuantizedWeights> weights)
    : weights_(std::move(weights)) {}
BackwardWeights::~BackwardWeights() = default;

absl::StatusOr<std::shared_ptr<const BackwardWeights>> BackwardWeights::Create(
    std::shared_ptr<const QuantizedWeights> weights) {
  std::shared_ptr<BackwardWeights> backward(new BackwardWeights(std::move(weights)));
  const Model::Parts& parts = backward->forward().model().parts();
  SASQ_RETURN_IF_ERROR(CatchTorch([&] {
    for (const SiteLinears& linears : parts.linears) {
      QuantizedSite site;
      site.weights = ops::PackWeights(QuantizeSiteWeights(linears, backward->forward().bits())
                                          .codes.t()
                                          .contiguous()
                                          .to(parts.device));
      site.scales = at::ones({linears.in_features}, at::device(parts.device).dtype(at::kFloat));
      backward->transposed_.push_back(std::make_unique<const QuantizedSite>(std::move(site)));
    }
    return absl::OkStatus();
  }));
  return backward;
}

at::Tensor BackwardWeights::InputGradient(SiteId site, const at::Tensor& grad_y) const {
  const QuantizedSite& transposed = *transposed_[static_cast<size_t>(SiteIndex(site))];
  at::Tensor rest = grad_y * forward().site(site).scales;
  const int64_t rows = rest.size(0);
  if (!at::isfinite(rest.sum()).item<bool>()) {
    return at::full({rows, transposed.scales.size(0)}, std::numeric_limits<float>::quiet_NaN(),
                    rest.options());
  }
  const ops::Quantized first = ops::QuantizePerToken(rest);
  rest.sub_(first.codes.to(at::kFloat).mul_(first.scales.unsqueeze(1)));
  const ops::Quantized second = ops::QuantizePerToken(rest);
  const at::Tensor products =
      ops::Int8Linear(at::cat({first.codes, second.codes}), at::cat({first.scales, second.scales}),
                      transposed.weights, transposed.scales, /*bias=*/std::nullopt);
  return products.narrow(0, 0, rows).add_(products.narrow(0, rows, rows));
}

}  // namespace sasq
