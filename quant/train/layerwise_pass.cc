#include "quant/train/layerwise_pass.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <utility>

#include "common/status_macros.h"
#include "quant/format/memory_estimate.h"
#include "quant/model/forward.h"

namespace sasq {
namespace {

// About what one layer's graph holds for one token: the tensors that its operations save.
int64_t GraphBytesPerToken(const ModelConfig& config, bool holds_rounding) {
  const int64_t qkv_size = (config.head_count + 2 * config.kv_head_count) * config.head_dim;
  int64_t floats = 10 * config.hidden_size + 4 * qkv_size + 6 * config.intermediate_size;
  if (holds_rounding) floats += 4 * config.hidden_size + 2 * qkv_size + config.intermediate_size;
  return floats * static_cast<int64_t>(sizeof(float));
}

}  // namespace

LayerwisePass::LayerwisePass(const Model& model, SiteExecutor& executor,
                             absl::Span<const int32_t> tokens, LayerwisePassOptions options)
    : model_(model),
      executor_(executor),
      tokens_(tokens.begin(), tokens.end()),
      options_(std::move(options)),
      decoder_(model,
               {.token_count = static_cast<int64_t>(tokens.size()),
                .past_count = options_.prefix == nullptr ? 0 : options_.prefix->token_count},
               options_.prefix == nullptr ? LeadingCopies(tokens) : 0) {}

absl::StatusOr<at::Tensor> LayerwisePass::RunLayer(int layer, const at::Tensor& hidden) {
  LayerCache cache;
  if (options_.prefix != nullptr) {
    cache.past = &options_.prefix->layers[static_cast<size_t>(layer)];
  }
  return decoder_.RunLayer(layer, hidden, executor_, options_.stop, cache);
}

int64_t LayerwisePass::KeptLayerCount() const {
  return kLayerGraphBytes / (GraphBytesPerToken(model_.config(), options_.graphs_hold_rounding) *
                             std::max<int64_t>(1, static_cast<int64_t>(tokens_.size())));
}

absl::StatusOr<at::Tensor> LayerwisePass::Forward() {
  SASQ_ASSIGN_OR_RETURN(hidden_, decoder_.Embed(tokens_));
  const int64_t layer_count = model_.config().layer_count;
  const int64_t kept_count = KeptLayerCount();
  for (int layer = 0; layer < layer_count; ++layer) {
    const bool keep = layer >= layer_count - kept_count;
    const at::AutoGradMode with_grad(keep);
    LayerRun run;
    run.input = hidden_.set_requires_grad(true);
    SASQ_ASSIGN_OR_RETURN(const at::Tensor output, RunLayer(layer, run.input));
    hidden_ = output.detach();
    if (keep) run.output = output;
    layers_.push_back(std::move(run));
  }
  const at::AutoGradMode with_grad(true);
  normed_ = decoder_.FinalNorm(hidden_.set_requires_grad(true));
  return normed_.detach();
}

absl::Status LayerwisePass::Backward(const at::Tensor& grad_normed) {
  const at::AutoGradMode with_grad(true);
  torch::autograd::backward({std::exchange(normed_, {})}, {grad_normed});
  at::Tensor grad = hidden_.grad();
  hidden_.reset();
  for (int layer = static_cast<int>(model_.config().layer_count) - 1; layer >= 0; --layer) {
    LayerRun run = std::move(layers_.back());
    layers_.pop_back();
    if (options_.stop.stop_requested()) return absl::CancelledError("stopped in the backward pass");
    if (!run.output.defined()) {
      SASQ_ASSIGN_OR_RETURN(run.output, RunLayer(layer, run.input));
    }
    torch::autograd::backward({std::exchange(run.output, {})}, {grad});
    grad = run.input.grad();
  }
  return absl::OkStatus();
}

}  // namespace sasq
