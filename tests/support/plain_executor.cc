#include "tests/support/plain_executor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/round.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/autograd.h>

#include "quant/model/decoder.h"
#include "quant/model/model_parts.h"
#include "quant/model/quantized_site.h"

namespace sasq::testing {

PlainExecutor::PlainExecutor(const QuantizedWeights& weights, absl::Span<const float> scales) {
  for (const SiteId site : weights.model().sites()) {
    const SiteLinears& linears =
        weights.model().parts().linears[static_cast<size_t>(SiteIndex(site))];
    const ops::Quantized quantized = QuantizeSiteWeights(linears, weights.bits());
    weights_.push_back(quantized.codes.to(at::kFloat) * quantized.scales.unsqueeze(1));
    biases_.push_back(SiteBias(linears, at::kCPU));
  }
  for (const float scale : scales) {
    scales_.push_back(at::scalar_tensor(scale, at::kFloat));
    scales_.back().set_requires_grad(true);
  }
}

absl::StatusOr<at::Tensor> PlainExecutor::Run(SiteId site, const at::Tensor& x, int64_t) {
  const size_t index = static_cast<size_t>(SiteIndex(site));
  const at::Tensor& scale = scales_[index];
  const at::Tensor clamped = at::clamp(x / scale, -128, 127);
  const at::Tensor rounded = clamped + (at::round(clamped) - clamped).detach();
  return at::linear(rounded * scale, weights_[index], biases_[index]);
}

PlainGradients ComputePlainGradients(const Model& model, PlainExecutor& executor,
                                     absl::Span<const int32_t> window) {
  const at::AutoGradMode with_grad(true);
  const int64_t count = static_cast<int64_t>(window.size());
  const Decoder decoder(model, {.token_count = count}, 1);
  at::Tensor hidden = decoder.Embed(window).value();
  for (int layer = 0; layer < model.config().layer_count; ++layer) {
    hidden = decoder.RunLayer(layer, hidden, executor, {}).value();
  }
  const TensorView& view = model.parts().head;
  const at::Tensor head = FloatTensor(view, at::kCPU);
  const at::Tensor logits = at::mm(decoder.FinalNorm(hidden).narrow(0, 0, count - 1), head.t());
  std::vector<int64_t> targets(window.begin() + 1, window.end());
  const at::Tensor loss =
      at::cross_entropy_loss(logits, at::from_blob(targets.data(), {count - 1}, at::kLong));
  PlainGradients result;
  result.loss = static_cast<double>(*loss.const_data_ptr<float>());
  for (const at::Tensor& gradient : torch::autograd::grad({loss}, executor.scales())) {
    result.gradient.push_back(static_cast<double>(*gradient.const_data_ptr<float>()));
  }
  return result;
}

}  // namespace sasq::testing
