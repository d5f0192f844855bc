#include "quant/train/trainable_executor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <utility>

#include "common/status_macros.h"
#include "quant/ops/ops.h"

namespace sasq {
namespace {

using torch::autograd::edge_list;
using torch::autograd::variable_list;

// The backward pass of one site.
class SiteNode final : public torch::autograd::Node {
 public:
  SiteNode(edge_list x_and_scale, TrainableExecutor& executor, SiteId site, at::Tensor x,
           int64_t float_rows)
      : Node(std::move(x_and_scale)),
        executor_(executor),
        site_(site),
        x_(std::move(x)),
        float_rows_(float_rows) {}

  std::string name() const override { return "SiteNode"; }

 protected:
  variable_list apply(variable_list&& grads) override {
    const at::NoGradGuard no_grad;
    auto [grad_x, grad_scale] = executor_.Backward(site_, x_, grads[0], float_rows_);
    return {std::move(grad_x), std::move(grad_scale)};
  }

 private:
  TrainableExecutor& executor_;
  const SiteId site_;
  const at::Tensor x_;
  const int64_t float_rows_;
};

// Gradients of rounding to `bits` bits (LSQ's rule), or of clipping alone.
ops::FakeQuantizeGradients ClipGradients(const at::Tensor& x, const at::Tensor& grad_x_hat,
                                         float scale, int bits, bool rounds) {
  if (rounds && bits == 8) return ops::FakeQuantizeBackward(x, grad_x_hat, scale);
  const double largest = LargestCode(bits);
  const at::Tensor v = x / scale;
  const at::Tensor code = rounds ? v.round() : v;
  const at::Tensor above = code > largest;
  const at::Tensor below = code < -largest - 1;
  const at::Tensor outside = above.logical_or(below);
  at::Tensor by_scale = rounds ? code - v : at::zeros_like(v);
  by_scale = at::where(above, largest, at::where(below, -largest - 1, by_scale));
  return {at::where(outside, 0.0, grad_x_hat), (by_scale * grad_x_hat).to(at::kDouble).sum()};
}

bool HasScale(const SiteRule& rule) {
  return rule.precision == SitePrecision::kStatic || rule.precision == SitePrecision::kClipped;
}

std::unique_ptr<SiteExecutor> MakeForward(const BackwardWeights& weights,
                                          const QuantizationRules& rules) {
  auto executor = MakeQuantizedExecutor(weights.shared_forward(), rules);
  SASQ_CHECK(executor.ok());
  return *std::move(executor);
}

}  // namespace

TrainableExecutor::TrainableExecutor(const BackwardWeights& weights, const QuantizationRules& rules)
    : weights_(weights),
      rules_(rules),
      forward_(MakeForward(weights, rules)),
      float_linears_(weights.forward().model()) {
  for (const SiteRule& rule : rules.sites) {
    scales_.push_back(at::scalar_tensor(static_cast<double>(rule.scale), at::kDouble));
    scales_.back().set_requires_grad(HasScale(rule));
  }
}

const at::Tensor& TrainableExecutor::scale(SiteId site) const {
  return scales_[static_cast<size_t>(SiteIndex(site))];
}

absl::StatusOr<at::Tensor> TrainableExecutor::Run(SiteId site, const at::Tensor& x,
                                                  int64_t leading_rows) {
  const at::Tensor values = x.detach().contiguous();
  at::Tensor y;
  {
    const at::NoGradGuard no_grad;
    SASQ_ASSIGN_OR_RETURN(y, forward_->Run(site, values, leading_rows));
  }
  if (at::GradMode::is_enabled()) {
    const int64_t float_rows = rules_.leading_tokens_float ? leading_rows : 0;
    const std::shared_ptr<SiteNode> node(
        new SiteNode(torch::autograd::collect_next_edges(x, scale(site)), *this, site, values,
                     float_rows),
        torch::autograd::deleteNode);
    torch::autograd::create_gradient_edge(y, node);
  }
  return y;
}

TrainableExecutor::Gradients TrainableExecutor::Backward(SiteId site, const at::Tensor& x,
                                                         const at::Tensor& grad_y,
                                                         int64_t float_rows) {
  const SiteRule& rule = this->rule(site);
  const bool integer =
      rule.precision == SitePrecision::kStatic || rule.precision == SitePrecision::kDynamic;
  at::Tensor grad_x = integer ? weights_.InputGradient(site, grad_y)
                              : at::matmul(grad_y, float_linears_.Weights(site));
  if (!HasScale(rule)) return {std::move(grad_x), {}};
  const int64_t rows = x.size(0) - float_rows;
  const at::Tensor grad_x_hat = grad_x.narrow(0, float_rows, rows);
  const ops::FakeQuantizeGradients gradients =
      ClipGradients(x.narrow(0, float_rows, rows), grad_x_hat, rule.scale, rules_.activation_bits,
                    rule.precision == SitePrecision::kStatic);
  if (float_rows == 0) return {gradients.x, gradients.scale.cpu()};
  grad_x_hat.copy_(gradients.x);
  return {std::move(grad_x), gradients.scale.cpu()};
}

}  // namespace sasq
