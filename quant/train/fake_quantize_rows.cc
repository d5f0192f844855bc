#include "quant/train/fake_quantize_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include <limits>

#include "quant/format/site_rule.h"

namespace sasq {

at::Tensor FakeQuantizeRows(const at::Tensor& x, int bits, int64_t float_rows) {
  const at::NoGradGuard no_grad;
  at::Tensor scale = x.abs().amax(/*dim=*/1, /*keepdim=*/true).div_(LargestCode(bits));
  // As the kernel (kernels/quantize.h): below the smallest normal number the scale is 1.
  scale.masked_fill_(scale < std::numeric_limits<float>::min(), 1);
  at::Tensor rounded = (x / scale).round_().mul_(scale);
  if (float_rows > 0) rounded.narrow(0, 0, float_rows).copy_(x.narrow(0, 0, float_rows));
  return rounded;
}

at::Tensor StraightThroughRows(const at::Tensor& x, int bits, int64_t float_rows) {
  const at::Tensor values = x.detach();
  return x + FakeQuantizeRows(values, bits, float_rows).sub_(values);
}

}  // namespace sasq
