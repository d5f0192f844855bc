#include "quant/train/trainable_executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/scalar_tensor.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <memory>
#include <utility>

#include "common/status_macros.h"
#include "kernels/fake_quantize.h"
#include "quant/model/compute_threads.h"
#include "quant/model/int8_linear.h"

namespace sasq {
namespace {

using torch::autograd::edge_list;
using torch::autograd::variable_list;

// The backward pass of one site: from d loss / d y to d loss / d x and d loss / d scale.
class SiteNode final : public torch::autograd::Node {
 public:
  SiteNode(edge_list x_and_scale, const BackwardWeights& weights, SiteId site, at::Tensor x,
           float scale, bool first_token_float)
      : Node(std::move(x_and_scale)),
        weights_(weights),
        site_(site),
        x_(std::move(x)),
        scale_(scale),
        first_token_float_(first_token_float) {}

  std::string name() const override { return "SiteNode"; }

 protected:
  variable_list apply(variable_list&& grads) override {
    const at::NoGradGuard no_grad;
    at::Tensor grad_x = weights_.InputGradient(site_, grads[0]);
    const int64_t skipped = first_token_float_ ? 1 : 0;
    const int64_t cols = x_.size(1);
    float* const grad = grad_x.mutable_data_ptr<float>() + skipped * cols;
    double grad_scale = 0;
    const int64_t rows = x_.size(0) - skipped;
    const absl::Status status = kernels::FakeQuantizeBackward(
        {weights_.forward().path(), ComputeParallelFor},
        kernels::DenseMatrix(x_.const_data_ptr<float>() + skipped * cols, rows, cols),
        kernels::DenseMatrix(grad, rows, cols), scale_, kernels::DenseMatrix(grad, rows, cols),
        &grad_scale);
    SASQ_CHECK(status.ok());  // shapes and scale were checked before the forward pass
    return {std::move(grad_x), at::scalar_tensor(grad_scale, at::kDouble)};
  }

 private:
  const BackwardWeights& weights_;
  const SiteId site_;
  const at::Tensor x_;
  const float scale_;
  const bool first_token_float_;
};

}  // namespace

TrainableExecutor::TrainableExecutor(const BackwardWeights& weights, absl::Span<const float> scales,
                                     bool first_token_float)
    : weights_(weights), first_token_float_(first_token_float) {
  for (const float scale : scales) {
    scales_.push_back(at::scalar_tensor(static_cast<double>(scale), at::kDouble));
    scales_.back().set_requires_grad(true);
  }
}

const at::Tensor& TrainableExecutor::scale(SiteId site) const {
  return scales_[static_cast<size_t>(SiteIndex(site))];
}

absl::StatusOr<at::Tensor> TrainableExecutor::Run(SiteId site, const at::Tensor& x) {
  const QuantizedWeights& forward = weights_.forward();
  const float scale_value = static_cast<float>(*scale(site).const_data_ptr<double>());
  const at::Tensor values = x.detach().contiguous();
  SASQ_ASSIGN_OR_RETURN(at::Tensor y, StaticInt8Linear(forward.path(), forward.site(site), values,
                                                       scale_value, first_token_float_));
  if (at::GradMode::is_enabled()) {
    const std::shared_ptr<SiteNode> node(
        new SiteNode(torch::autograd::collect_next_edges(x, scale(site)), weights_, site, values,
                     scale_value, first_token_float_),
        torch::autograd::deleteNode);
    torch::autograd::create_gradient_edge(y, node);
  }
  return y;
}

}  // namespace sasq
