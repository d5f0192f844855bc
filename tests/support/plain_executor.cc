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

#include <optional>

#include "common/status_macros.h"
#include "quant/model/compute_threads.h"
#include "quant/model/decoder.h"
#include "quant/model/float_weights.h"
#include "quant/model/model_parts.h"

namespace sasq::testing {

PlainExecutor::PlainExecutor(const QuantizedWeights& weights, absl::Span<const float> scales) {
  for (const SiteId site : weights.model().sites()) {
    const QuantizedWeights::Site& quantized = weights.site(site);
    const int64_t out_features = quantized.weights.out_features();
    weights_.push_back(at::empty({out_features, quantized.weights.in_features()}, at::kFloat));
    SASQ_CHECK(kernels::DequantizeWeights(quantized.weights.view(),
                                          weights_.back().mutable_data_ptr<float>(),
                                          ComputeParallelFor)
                   .ok());
    biases_.emplace_back();
    if (!quantized.bias.empty()) {
      biases_.back() = at::empty({out_features}, at::kFloat);
      std::copy(quantized.bias.begin(), quantized.bias.end(),
                biases_.back().mutable_data_ptr<float>());
    }
  }
  for (const float scale : scales) {
    scales_.push_back(at::scalar_tensor(scale, at::kFloat));
    scales_.back().set_requires_grad(true);
  }
}

absl::StatusOr<at::Tensor> PlainExecutor::Run(SiteId site, const at::Tensor& x) {
  const size_t index = static_cast<size_t>(SiteIndex(site));
  const at::Tensor& scale = scales_[index];
  const at::Tensor clamped = at::clamp(x / scale, -128, 127);
  const at::Tensor rounded = clamped + (at::round(clamped) - clamped).detach();
  const std::optional<at::Tensor> bias =
      biases_[index].defined() ? std::optional<at::Tensor>(biases_[index]) : std::nullopt;
  return at::linear(rounded * scale, weights_[index], bias);
}

PlainGradients ComputePlainGradients(const Model& model, PlainExecutor& executor,
                                     absl::Span<const int32_t> window) {
  const at::AutoGradMode with_grad(true);
  const int64_t count = static_cast<int64_t>(window.size());
  const Decoder decoder(model, count);
  at::Tensor hidden = decoder.Embed(window).value();
  for (int layer = 0; layer < model.config().layer_count; ++layer) {
    hidden = decoder.RunLayer(layer, hidden, executor, {}).value();
  }
  const TensorView& view = model.parts().head;
  const at::Tensor head = at::empty(view.shape, at::kFloat);
  CopyAsFloat(view, 0, view.element_count(), head.mutable_data_ptr<float>());
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
