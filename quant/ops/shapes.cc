// Shapes of the results, for tensors without data (the key Meta).
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

namespace sasq::ops {
namespace {

using OptionalTensor = std::optional<at::Tensor>;
using TensorPair = std::tuple<at::Tensor, at::Tensor>;

at::Tensor CodesOf(const at::Tensor& x) {
  return at::empty_symint(x.sym_sizes(), x.options().dtype(at::kChar));
}

TensorPair CodesAndScalesOf(const at::Tensor& x) {
  const c10::SymInt rows = x.sym_numel() / x.sym_size(-1);
  return {CodesOf(x), at::empty_symint({rows}, x.options().dtype(at::kFloat))};
}

at::Tensor QuantizeStatic(const at::Tensor& x, double) { return CodesOf(x); }

at::Tensor RmsNormQuantizeStatic(const at::Tensor& x, const at::Tensor&, double, double,
                                 const OptionalTensor&) {
  return CodesOf(x);
}

TensorPair RmsNormQuantizePerToken(const at::Tensor& x, const at::Tensor&, double,
                                   const OptionalTensor&) {
  return CodesAndScalesOf(x);
}

at::Tensor SiluMulQuantizeStatic(const at::Tensor& gate, const at::Tensor&, double) {
  return CodesOf(gate);
}

TensorPair SiluMulQuantizePerToken(const at::Tensor& gate, const at::Tensor&) {
  return CodesAndScalesOf(gate);
}

// On a device without a layout of its own.
at::Tensor PackWeights(const at::Tensor& codes) { return CodesOf(codes); }

at::Tensor Linear(const at::Tensor& codes, const at::Tensor& w_scales, at::ScalarType dtype) {
  c10::SymDimVector sizes(codes.sym_sizes().begin(), codes.sym_sizes().end());
  sizes.back() = w_scales.sym_numel();
  return at::empty_symint(sizes, codes.options().dtype(dtype));
}

at::Tensor Int8Linear(const at::Tensor& codes, const at::Tensor&, const at::Tensor&,
                      const at::Tensor& w_scales, const OptionalTensor&, at::ScalarType dtype) {
  return Linear(codes, w_scales, dtype);
}

at::Tensor Int8LinearStatic(const at::Tensor& codes, double, const at::Tensor&,
                            const at::Tensor& w_scales, const OptionalTensor&,
                            at::ScalarType dtype) {
  return Linear(codes, w_scales, dtype);
}

at::Tensor SameAs(const at::Tensor& x) { return at::empty_symint(x.sym_sizes(), x.options()); }

at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor&) { return SameAs(x); }

TensorPair FakeQuantizeBackward(const at::Tensor& x, const at::Tensor&, double) {
  return {SameAs(x), at::empty({}, x.options().dtype(at::kDouble))};
}

at::Tensor HadamardTransform(const at::Tensor& x, int64_t) { return SameAs(x); }

}  // namespace
}  // namespace sasq::ops

TORCH_LIBRARY_IMPL(sasq, Meta, m) {
  m.impl("quantize_static", sasq::ops::QuantizeStatic);
  m.impl("quantize_per_token", sasq::ops::CodesAndScalesOf);
  m.impl("rms_norm_quantize_static", sasq::ops::RmsNormQuantizeStatic);
  m.impl("rms_norm_quantize_per_token", sasq::ops::RmsNormQuantizePerToken);
  m.impl("silu_mul_quantize_static", sasq::ops::SiluMulQuantizeStatic);
  m.impl("silu_mul_quantize_per_token", sasq::ops::SiluMulQuantizePerToken);
  m.impl("pack_weights", sasq::ops::PackWeights);
  m.impl("int8_linear", sasq::ops::Int8Linear);
  m.impl("int8_linear.static", sasq::ops::Int8LinearStatic);
  m.impl("fake_quantize", sasq::ops::FakeQuantize);
  m.impl("fake_quantize_backward", sasq::ops::FakeQuantizeBackward);
  m.impl("hadamard_transform", sasq::ops::HadamardTransform);
}
