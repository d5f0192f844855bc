// The INT8 kernels as LibTorch operators of the namespace `sasq`, called through the dispatcher:
// keys CPU and CUDA compute, Meta gives shapes, and fake_quantize has a gradient. kernels/*.h has
// the algebra. For the engine alone: whoever includes this includes LibTorch.
//
// Tensors are float32, float16 or bfloat16 with any leading dimensions; the last one is a row's.
// Codes are int8, scales float32. All of one call are on one device. What a kernel refuses is
// thrown as c10::ValueError with the kernel's message; on the CPU the instruction set is
// kernels::SelectCpuPath's. CUDA operators are queued on LibTorch's current stream.
#ifndef SASQ_QUANT_OPS_OPS_H_
#define SASQ_QUANT_OPS_OPS_H_

#include <ATen/core/Tensor.h>

#include <optional>

namespace sasq::ops {

struct Quantized {
  at::Tensor codes;   // the shape of the input
  at::Tensor scales;  // [rows]
};

at::Tensor QuantizeStatic(const at::Tensor& x, double scale);
Quantized QuantizePerToken(const at::Tensor& x);

// Quantized RMSNorm of `x`, or of residual + x, which then replaces `residual`.
at::Tensor RmsNormQuantizeStatic(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                 double scale,
                                 const std::optional<at::Tensor>& residual = std::nullopt);
Quantized RmsNormQuantizePerToken(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                  const std::optional<at::Tensor>& residual = std::nullopt);

// Quantized silu(gate) * up.
at::Tensor SiluMulQuantizeStatic(const at::Tensor& gate, const at::Tensor& up, double scale);
Quantized SiluMulQuantizePerToken(const at::Tensor& gate, const at::Tensor& up);

// Codes [out_features, in_features] in the layout of the product on their device: an opaque int8
// tensor. On the CPU it depends on the instruction set: do not store it.
at::Tensor PackWeights(const at::Tensor& codes);

// y[..., out_features] in `dtype` of codes[..., in_features] and packed weights. The scale of the
// activations is one number, or one per row (`x_scales`, [rows]).
at::Tensor Int8Linear(const at::Tensor& codes, double x_scale, const at::Tensor& weights,
                      const at::Tensor& w_scales, const std::optional<at::Tensor>& bias,
                      at::ScalarType dtype = at::kFloat);
at::Tensor Int8Linear(const at::Tensor& codes, const at::Tensor& x_scales,
                      const at::Tensor& weights, const at::Tensor& w_scales,
                      const std::optional<at::Tensor>& bias, at::ScalarType dtype = at::kFloat);

// x_hat of x, with a gradient for x and for `scale`, a tensor of one element on the CPU.
at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& scale);

struct FakeQuantizeGradients {
  at::Tensor x;
  at::Tensor scale;  // float64, no dimensions, on the device of x
};
FakeQuantizeGradients FakeQuantizeBackward(const at::Tensor& x, const at::Tensor& grad,
                                           double scale);

// Blocks of `block` elements of each row times a normalized Hadamard matrix.
at::Tensor HadamardTransform(const at::Tensor& x, int64_t block);

}  // namespace sasq::ops

#endif  // SASQ_QUANT_OPS_OPS_H_
