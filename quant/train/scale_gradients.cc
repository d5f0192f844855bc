#include "quant/train/scale_gradients.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "quant/format/memory_estimate.h"
#include "quant/model/decoder.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/torch_guard.h"
#include "quant/train/trainable_executor.h"

namespace sasq {
namespace {

// About what one layer's graph holds for one token: the tensors that its operations save.
int64_t GraphBytesPerToken(const ModelConfig& config) {
  const int64_t qkv_size = (config.head_count + 2 * config.kv_head_count) * config.head_dim;
  const int64_t floats = 10 * config.hidden_size + 4 * qkv_size + 6 * config.intermediate_size;
  return floats * static_cast<int64_t>(sizeof(float));
}

// Gradients flow layer by layer: each layer has a graph of its own, from the hidden states that
// entered it to those that left it. The last layers keep their graphs from the forward pass, as
// many as kLayerGraphBytes holds; the others' are built a second time when the gradient arrives,
// which INT8 makes cheap. So memory beyond the hidden states does not grow with the number of
// layers.
class WindowPass {
 public:
  WindowPass(const BackwardWeights& weights, NextTokenLoss& loss, const QuantizationRules& rules,
             const TrainingWindow& window, std::stop_token stop)
      : model_(weights.forward().model()),
        loss_(loss),
        executor_(weights, rules),
        window_(window),
        decoder_(model_,
                 {.token_count = static_cast<int64_t>(window.tokens.size()),
                  .past_count = window.prefix == nullptr ? 0 : window.prefix->token_count},
                 window.prefix == nullptr ? LeadingCopies(window.tokens) : 0),
        kept_layer_count_(kLayerGraphBytes / (GraphBytesPerToken(model_.config()) *
                                              std::max<int64_t>(1, window.tokens.size()))),
        stop_(std::move(stop)) {}

  absl::StatusOr<ScaleGradients> Run() {
    ScaleGradients result;
    result.gradient.resize(model_.sites().size());
    SASQ_RETURN_IF_ERROR(RunForward());
    SASQ_ASSIGN_OR_RETURN(at::Tensor grad, RunHead(result));
    for (int layer = static_cast<int>(layers_.size()) - 1; layer >= 0; --layer) {
      SASQ_ASSIGN_OR_RETURN(grad, BackwardLayer(layer, grad, result));
    }
    return result;
  }

 private:
  // What entered a layer, a leaf of its graph, and what left it; the latter undefined if the graph
  // was not kept.
  struct LayerRun {
    at::Tensor input;
    at::Tensor output;
  };

  absl::StatusOr<at::Tensor> RunLayer(int layer, const at::Tensor& hidden) {
    LayerCache cache;
    if (window_.prefix != nullptr) cache.past = &window_.prefix->layers[static_cast<size_t>(layer)];
    return decoder_.RunLayer(layer, hidden, executor_, stop_, cache);
  }

  absl::Status RunForward() {
    SASQ_ASSIGN_OR_RETURN(hidden_, decoder_.Embed(window_.tokens));
    const int64_t layer_count = model_.config().layer_count;
    for (int layer = 0; layer < layer_count; ++layer) {
      const bool keep = layer >= layer_count - kept_layer_count_;
      const at::AutoGradMode with_grad(keep);
      LayerRun run;
      run.input = hidden_.set_requires_grad(true);
      SASQ_ASSIGN_OR_RETURN(const at::Tensor output, RunLayer(layer, run.input));
      hidden_ = output.detach();
      if (keep) run.output = output;
      layers_.push_back(std::move(run));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<SequenceLoss> Loss(const at::Tensor& hidden, at::Tensor& grad_hidden) {
    if (window_.teacher_hidden == nullptr) {
      return loss_.Compute(hidden, window_.tokens, window_.first_position, stop_, &grad_hidden);
    }
    return loss_.ComputeDistillation(hidden, *window_.teacher_hidden, window_.first_position, stop_,
                                     &grad_hidden);
  }

  // The loss, and its gradient by what the last layer gave.
  absl::StatusOr<at::Tensor> RunHead(ScaleGradients& result) {
    const at::AutoGradMode with_grad(true);
    hidden_.set_requires_grad(true);
    const at::Tensor normed = decoder_.FinalNorm(hidden_);
    at::Tensor grad_normed;
    SASQ_ASSIGN_OR_RETURN(const SequenceLoss loss, Loss(normed.detach(), grad_normed));
    result.loss = loss.sum_nats / static_cast<double>(loss.count);
    return torch::autograd::grad({normed}, {hidden_}, {grad_normed})[0];
  }

  // The gradient by what layer `layer` was given, of the one by what it gave.
  absl::StatusOr<at::Tensor> BackwardLayer(int layer, const at::Tensor& grad_output,
                                           ScaleGradients& result) {
    const at::AutoGradMode with_grad(true);
    LayerRun run = std::move(layers_.back());
    layers_.pop_back();
    if (stop_.stop_requested()) return absl::CancelledError("stopped in the backward pass");
    if (!run.output.defined()) {
      SASQ_ASSIGN_OR_RETURN(run.output, RunLayer(layer, run.input));
    }
    std::vector<at::Tensor> leaves = {run.input};
    std::vector<int> sites;
    for (int kind = 0; kind < kSiteKindCount; ++kind) {
      const SiteId site = {layer, static_cast<SiteKind>(kind)};
      if (!executor_.scale(site).requires_grad()) continue;
      leaves.push_back(executor_.scale(site));
      sites.push_back(SiteIndex(site));
    }
    const std::vector<at::Tensor> grads =
        torch::autograd::grad({run.output}, leaves, {grad_output});
    for (size_t i = 0; i < sites.size(); ++i) {
      result.gradient[static_cast<size_t>(sites[i])] = *grads[i + 1].const_data_ptr<double>();
    }
    return grads[0];
  }

  const Model& model_;
  NextTokenLoss& loss_;
  TrainableExecutor executor_;
  const TrainingWindow window_;
  const Decoder decoder_;
  const int64_t kept_layer_count_;
  const std::stop_token stop_;

  std::vector<LayerRun> layers_;
  at::Tensor hidden_;
};

}  // namespace

absl::StatusOr<ScaleGradients> ComputeScaleGradients(const BackwardWeights& weights,
                                                     NextTokenLoss& loss,
                                                     const QuantizationRules& rules,
                                                     const TrainingWindow& window,
                                                     std::stop_token stop) {
  SASQ_RETURN_IF_ERROR(CheckRules(weights.forward().model(), rules));
  return CatchTorchOr([&]() -> absl::StatusOr<ScaleGradients> {
    return WindowPass(weights, loss, rules, window, stop).Run();
  });
}

}  // namespace sasq
