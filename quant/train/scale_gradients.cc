#include "quant/train/scale_gradients.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <utility>

#include "common/status_macros.h"
#include "quant/model/decoder.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/torch_guard.h"
#include "quant/train/trainable_executor.h"

namespace sasq {
namespace {

// Gradients flow layer by layer: the graph of a layer is built, used and dropped before the next
// one's, from the hidden states that entered it. A layer's forward pass runs twice, which INT8
// makes cheap, and memory holds one layer's activations instead of all.
class WindowPass {
 public:
  WindowPass(const BackwardWeights& weights, absl::Span<const float> scales, bool first_token_float,
             absl::Span<const int32_t> window, std::stop_token stop)
      : model_(weights.forward().model()),
        executor_(weights, scales, first_token_float),
        decoder_(model_, static_cast<int64_t>(window.size())),
        window_(window),
        first_position_(first_token_float ? 1 : 0),
        stop_(std::move(stop)) {}

  absl::StatusOr<ScaleGradients> Run() {
    ScaleGradients result;
    result.gradient.resize(model_.sites().size());
    SASQ_RETURN_IF_ERROR(RunForward());
    SASQ_ASSIGN_OR_RETURN(at::Tensor grad, RunHead(result));
    for (int layer = static_cast<int>(layer_inputs_.size()) - 1; layer >= 0; --layer) {
      SASQ_ASSIGN_OR_RETURN(grad, BackwardLayer(layer, grad, result));
    }
    return result;
  }

 private:
  absl::Status RunForward() {
    const at::NoGradGuard no_grad;
    SASQ_ASSIGN_OR_RETURN(hidden_, decoder_.Embed(window_));
    for (int layer = 0; layer < model_.config().layer_count; ++layer) {
      layer_inputs_.push_back(hidden_);
      SASQ_ASSIGN_OR_RETURN(hidden_, decoder_.RunLayer(layer, hidden_, executor_, stop_));
    }
    return absl::OkStatus();
  }

  // The loss, and its gradient by what the last layer gave.
  absl::StatusOr<at::Tensor> RunHead(ScaleGradients& result) {
    const at::AutoGradMode with_grad(true);
    hidden_.set_requires_grad(true);
    const at::Tensor normed = decoder_.FinalNorm(hidden_);
    at::Tensor grad_normed;
    SASQ_ASSIGN_OR_RETURN(
        const SequenceLoss loss,
        NextTokenLoss(model_, normed.detach(), window_, first_position_, stop_, &grad_normed));
    result.loss = loss.sum_nats / static_cast<double>(loss.count);
    return torch::autograd::grad({normed}, {hidden_}, {grad_normed})[0];
  }

  // The gradient by what layer `layer` was given, of the one by what it gave.
  absl::StatusOr<at::Tensor> BackwardLayer(int layer, const at::Tensor& grad_output,
                                           ScaleGradients& result) {
    const at::AutoGradMode with_grad(true);
    at::Tensor input = std::exchange(layer_inputs_[static_cast<size_t>(layer)], at::Tensor());
    input.set_requires_grad(true);
    SASQ_ASSIGN_OR_RETURN(const at::Tensor output,
                          decoder_.RunLayer(layer, input, executor_, stop_));
    std::vector<at::Tensor> leaves = {input};
    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      leaves.push_back(executor_.scale({layer, static_cast<SiteKind>(kind)}));
    }
    const std::vector<at::Tensor> grads = torch::autograd::grad({output}, leaves, {grad_output});
    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      const int site = SiteIndex({layer, static_cast<SiteKind>(kind)});
      result.gradient[static_cast<size_t>(site)] =
          *grads[static_cast<size_t>(1 + kind)].const_data_ptr<double>();
    }
    return grads[0];
  }

  const Model& model_;
  TrainableExecutor executor_;
  const Decoder decoder_;
  const absl::Span<const int32_t> window_;
  const int64_t first_position_;
  const std::stop_token stop_;

  std::vector<at::Tensor> layer_inputs_;
  at::Tensor hidden_;
};

}  // namespace

absl::StatusOr<ScaleGradients> ComputeScaleGradients(const BackwardWeights& weights,
                                                     absl::Span<const float> scales,
                                                     bool first_token_float,
                                                     absl::Span<const int32_t> window,
                                                     std::stop_token stop) {
  SASQ_RETURN_IF_ERROR(CheckScales(weights.forward().model(), scales));
  return CatchTorchOr([&]() -> absl::StatusOr<ScaleGradients> {
    return WindowPass(weights, scales, first_token_float, window, stop).Run();
  });
}

}  // namespace sasq
