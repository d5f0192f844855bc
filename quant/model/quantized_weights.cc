#include "quant/model/quantized_weights.h"

#include <ATen/ops/empty.h>

#include <utility>

#include "common/status_macros.h"
#include "quant/model/int8_linear.h"
#include "quant/model/quantized_site.h"
#include "quant/model/torch_guard.h"

namespace sasq {

ops::Quantized QuantizeSiteWeights(const SiteLinears& linears, int bits) {
  const at::Tensor weights = at::empty({linears.out_features, linears.in_features}, at::kFloat);
  CopySiteWeights(linears, weights.mutable_data_ptr<float>());
  return QuantizeRows(weights, bits);  // a row of weights is an output channel
}

QuantizedWeights::QuantizedWeights(std::shared_ptr<const Model> model, int bits)
    : model_(std::move(model)), bits_(bits) {}
QuantizedWeights::~QuantizedWeights() = default;

absl::StatusOr<std::shared_ptr<const QuantizedWeights>> QuantizedWeights::Create(
    std::shared_ptr<const Model> model, std::stop_token stop, int bits) {
  SASQ_CHECK(bits >= 4 && bits <= 8);
  std::shared_ptr<QuantizedWeights> weights(new QuantizedWeights(std::move(model), bits));
  const Model::Parts& parts = weights->model().parts();
  SASQ_RETURN_IF_ERROR(CatchTorch([&]() -> absl::Status {
    for (const SiteLinears& linears : parts.linears) {
      if (stop.stop_requested()) return absl::CancelledError("stopped while weights were packed");
      const ops::Quantized quantized = QuantizeSiteWeights(linears, bits);
      QuantizedSite site;
      site.weights = ops::PackWeights(quantized.codes.to(parts.device));
      site.scales = quantized.scales.to(parts.device);
      site.bias = SiteBias(linears, parts.device);
      weights->sites_.push_back(std::make_unique<const QuantizedSite>(std::move(site)));
    }
    return absl::OkStatus();
  }));
  return weights;
}

}  // namespace sasq
