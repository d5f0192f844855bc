#include "quant/methods/rotation_trainer.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/format/flop_count.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"
#include "quant/model/torch_guard.h"
#include "quant/train/fake_quantize_rows.h"
#include "quant/train/layerwise_pass.h"
#include "quant/train/stiefel.h"

namespace sasq {
namespace {

using torch::autograd::edge_list;
using torch::autograd::variable_list;

// The backward pass of a float linear: its weights are converted again, because those of the
// forward pass made room for the next site's.
class FrozenLinearNode final : public torch::autograd::Node {
 public:
  FrozenLinearNode(edge_list edges, FloatLinears& linears, SiteId site)
      : Node(std::move(edges)), linears_(linears), site_(site) {}

  std::string name() const override { return "FrozenLinearNode"; }

 protected:
  variable_list apply(variable_list&& grads) override {
    const at::NoGradGuard no_grad;
    return {at::matmul(grads[0], linears_.Weights(site_))};
  }

 private:
  FloatLinears& linears_;
  const SiteId site_;
};

// Float linears of rotated, rounded and rotated back activations.
class RotatedExecutor final : public SiteExecutor {
 public:
  RotatedExecutor(const Model& model, const RotationTrainerOptions& options)
      : config_(model.config()), options_(options), linears_(model) {}

  // Float32 leaves on the model's device; `values` [layers, head_dim, head_dim].
  void SetRotations(at::Tensor residual, at::Tensor values) {
    residual_ = std::move(residual);
    values_ = std::move(values);
  }

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    const at::Tensor x_hat =
        RotateAndRound(site, x, options_.leading_tokens_float ? leading_rows : 0);
    at::Tensor y;
    {
      const at::NoGradGuard no_grad;
      y = linears_.Run(site, x_hat);
    }
    if (at::GradMode::is_enabled()) {
      const std::shared_ptr<FrozenLinearNode> node(
          new FrozenLinearNode(torch::autograd::collect_next_edges(x_hat), linears_, site),
          torch::autograd::deleteNode);
      torch::autograd::create_gradient_edge(y, node);
    }
    return y;
  }

 private:
  at::Tensor RotateAndRound(SiteId site, const at::Tensor& x, int64_t float_rows) const {
    const int bits = options_.activation_bits;
    if (site.kind == SiteKind::kDownIn) return StraightThroughRows(x, bits, float_rows);
    if (site.kind != SiteKind::kOIn) {
      const at::Tensor rounded = StraightThroughRows(at::matmul(x, residual_), bits, float_rows);
      return at::matmul(rounded, residual_.t());
    }
    // All heads of a token share its scale.
    const at::Tensor rotation = values_.select(0, site.layer);
    const std::vector<int64_t> by_head = {x.size(0), config_.head_count, config_.head_dim};
    const at::Tensor rotated = at::matmul(x.view(by_head), rotation).view(x.sizes());
    const at::Tensor rounded = StraightThroughRows(rotated, bits, float_rows);
    return at::matmul(rounded.view(by_head), rotation.t()).view(x.sizes());
  }

  const ModelConfig& config_;
  const RotationTrainerOptions options_;
  FloatLinears linears_;
  at::Tensor residual_;
  at::Tensor values_;
};

// Linear warm-up, then a linear fall.
double LearningRate(const RotationTrainerOptions& options, int64_t step) {
  const int64_t warmup = options.warmup_step_count;
  const double share = step <= warmup ? static_cast<double>(step) / static_cast<double>(warmup)
                                      : static_cast<double>(options.step_count - step + 1) /
                                            static_cast<double>(options.step_count - warmup);
  return options.learning_rate * share;
}

// The products with rotations in one window: each layer's qkv_in and gate_up_in go through R1 and
// its transpose (2 * 2 * T * hidden_size^2 each), o_in through R2 and its transpose for each head
// (2 * 2 * T * head_count * head_dim^2), and the backward pass computes two gradients of each
// product.
double RotationFlopCount(const ModelConfig& config, int64_t token_count) {
  const double hidden = static_cast<double>(config.hidden_size);
  const double dim = static_cast<double>(config.head_dim);
  const double forward =
      static_cast<double>(config.layer_count) * static_cast<double>(token_count) *
      (8 * hidden * hidden + 4 * static_cast<double>(config.head_count) * dim * dim);
  return 3 * forward;
}

double CubeFlops(int64_t size) { return 2 * std::pow(static_cast<double>(size), 3); }

absl::Status Diverged(int64_t step, absl::string_view what) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("training step ", step, " met a ", what,
                                                 " that is not finite; lower "
                                                 "training.learning_rate")),
      "DIVERGED");
}

}  // namespace

struct RotationTrainer::State {
  State(const Model& model, const RotationTrainerOptions& options)
      : executor(model, options), loss(model) {}

  RotatedExecutor executor;
  NextTokenLoss loss;
  at::Tensor residual_momentum;
  at::Tensor values_momentum;
  int64_t step = 0;
};

RotationTrainer::RotationTrainer(std::shared_ptr<const Model> model, Rotations start,
                                 RotationTrainerOptions options)
    : model_(std::move(model)),
      options_(options),
      rotations_(std::move(start)),
      state_(std::make_unique<State>(*model_, options)) {
  state_->residual_momentum = at::zeros_like(rotations_.residual);
  state_->values_momentum = at::zeros_like(at::stack(rotations_.values));
}
RotationTrainer::~RotationTrainer() = default;

absl::StatusOr<RotationGradients> RotationTrainer::ComputeGradients(
    absl::Span<const int32_t> window, std::stop_token stop) {
  return CatchTorchOr([&]() -> absl::StatusOr<RotationGradients> {
    const auto leaf = [&](const at::Tensor& rotation) {
      return rotation.to(model_->parts().device, at::kFloat).set_requires_grad(true);
    };
    const at::Tensor residual = leaf(rotations_.residual);
    const at::Tensor values = leaf(at::stack(rotations_.values));
    state_->executor.SetRotations(residual, values);
    LayerwisePass pass(*model_, state_->executor, window,
                       {.graphs_hold_rounding = true, .stop = stop});
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, pass.Forward());
    at::Tensor grad_hidden;
    SASQ_ASSIGN_OR_RETURN(
        const SequenceLoss loss,
        state_->loss.Compute(hidden, window, options_.leading_tokens_float ? 1 : 0, stop,
                             &grad_hidden));
    SASQ_RETURN_IF_ERROR(pass.Backward(grad_hidden));
    return RotationGradients{loss.sum_nats / static_cast<double>(loss.count),
                             residual.grad().to(at::kCPU, at::kDouble),
                             values.grad().to(at::kCPU, at::kDouble)};
  });
}

absl::StatusOr<RotationStep> RotationTrainer::Step(absl::Span<const int32_t> window,
                                                   std::stop_token stop) {
  SASQ_CHECK(state_->step < options_.step_count);
  SASQ_ASSIGN_OR_RETURN(const RotationGradients gradients,
                        ComputeGradients(window, std::move(stop)));
  return CatchTorchOr([&]() -> absl::StatusOr<RotationStep> {
    const int64_t step = state_->step + 1;
    if (!std::isfinite(gradients.loss)) return Diverged(step, "loss");
    if (!std::isfinite(gradients.residual.sum().item<double>()) ||
        !std::isfinite(gradients.values.sum().item<double>())) {
      return Diverged(step, "gradient");
    }
    const CayleyOptions cayley = {.momentum = options_.momentum};
    const double rate = LearningRate(options_, step);
    at::Tensor values = at::stack(rotations_.values);
    const int64_t residual_products = CayleyStep(cayley, rate, gradients.residual,
                                                 state_->residual_momentum, rotations_.residual);
    const int64_t value_products =
        CayleyStep(cayley, rate, gradients.values, state_->values_momentum, values);
    rotations_.values = values.unbind(0);
    state_->step = step;

    const ModelConfig& config = model_->config();
    const int64_t tokens = static_cast<int64_t>(window.size());
    RotationStep done;
    done.loss = gradients.loss;
    done.flop_count =
        TrainingStepFlopCount(config, tokens) + RotationFlopCount(config, tokens) +
        static_cast<double>(residual_products) * CubeFlops(config.hidden_size) +
        static_cast<double>(value_products * config.layer_count) * CubeFlops(config.head_dim);
    return done;
  });
}

}  // namespace sasq
