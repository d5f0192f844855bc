// Gradients of fake_quantize and of hadamard_transform.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "quant/ops/ops.h"

namespace sasq::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class FakeQuantizeFunction : public torch::autograd::Function<FakeQuantizeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x,
                            const at::Tensor& scale) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->save_for_backward({x, scale});
    return FakeQuantize(x, scale);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor& scale = saved[1];
    FakeQuantizeGradients gradients =
        FakeQuantizeBackward(saved[0], grads[0], scale.item<double>());
    return {std::move(gradients.x), gradients.scale.to(scale.options()).view(scale.sizes())};
  }
};

at::Tensor FakeQuantizeAutograd(const at::Tensor& x, const at::Tensor& scale) {
  return FakeQuantizeFunction::apply(x, scale);
}

// The matrix is symmetric, so the gradient goes through the same transform.
class HadamardFunction : public torch::autograd::Function<HadamardFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, int64_t block) {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    context->saved_data["block"] = block;
    return HadamardTransform(x, block);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    return {HadamardTransform(grads[0].contiguous(), context->saved_data["block"].toInt()), {}};
  }
};

at::Tensor HadamardAutograd(const at::Tensor& x, int64_t block) {
  return HadamardFunction::apply(x, block);
}

}  // namespace
}  // namespace sasq::ops

TORCH_LIBRARY_IMPL(sasq, Autograd, m) {
  m.impl("fake_quantize", sasq::ops::FakeQuantizeAutograd);
  m.impl("hadamard_transform", sasq::ops::HadamardAutograd);
}
