#include "quant/train/scale_gradients.h"

#include <ATen/core/Tensor.h>

#include <utility>

#include "common/status_macros.h"
#include "quant/model/torch_guard.h"
#include "quant/train/layerwise_pass.h"
#include "quant/train/trainable_executor.h"

namespace sasq {
namespace {

absl::StatusOr<ScaleGradients> Compute(const BackwardWeights& weights, NextTokenLoss& loss,
                                       const QuantizationRules& rules, const TrainingWindow& window,
                                       const std::stop_token& stop) {
  const Model& model = weights.forward().model();
  TrainableExecutor executor(weights, rules);
  LayerwisePass pass(model, executor, window.tokens, {.prefix = window.prefix, .stop = stop});
  SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, pass.Forward());
  at::Tensor grad_hidden;
  const absl::StatusOr<SequenceLoss> sum =
      window.teacher_hidden == nullptr
          ? loss.Compute(hidden, window.tokens, window.first_position, stop, &grad_hidden)
          : loss.ComputeDistillation(hidden, *window.teacher_hidden, window.first_position, stop,
                                     &grad_hidden);
  SASQ_RETURN_IF_ERROR(sum.status());
  SASQ_RETURN_IF_ERROR(pass.Backward(grad_hidden));

  ScaleGradients result;
  result.loss = sum->sum_nats / static_cast<double>(sum->count);
  for (const SiteId site : model.sites()) {
    const at::Tensor& gradient = executor.scale(site).grad();
    result.gradient.push_back(gradient.defined() ? *gradient.const_data_ptr<double>() : 0);
  }
  return result;
}

}  // namespace

absl::StatusOr<ScaleGradients> ComputeScaleGradients(const BackwardWeights& weights,
                                                     NextTokenLoss& loss,
                                                     const QuantizationRules& rules,
                                                     const TrainingWindow& window,
                                                     std::stop_token stop) {
  SASQ_RETURN_IF_ERROR(CheckRules(weights.forward().model(), rules));
  return CatchTorchOr([&] { return Compute(weights, loss, rules, window, stop); });
}

}  // namespace sasq
