// The schemas, and the calls through the dispatcher.
#include "quant/ops/ops.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include <tuple>

TORCH_LIBRARY(sasq, m) {
  m.def("quantize_static(Tensor x, float scale) -> Tensor");
  m.def("quantize_per_token(Tensor x) -> (Tensor codes, Tensor scales)");
  m.def(
      "rms_norm_quantize_static(Tensor x, Tensor gain, float epsilon, float scale, "
      "Tensor(a!)? residual=None) -> Tensor");
  m.def(
      "rms_norm_quantize_per_token(Tensor x, Tensor gain, float epsilon, "
      "Tensor(a!)? residual=None) -> (Tensor codes, Tensor scales)");
  m.def("silu_mul_quantize_static(Tensor gate, Tensor up, float scale) -> Tensor");
  m.def("silu_mul_quantize_per_token(Tensor gate, Tensor up) -> (Tensor codes, Tensor scales)");
  m.def("pack_weights(Tensor codes) -> Tensor");
  m.def(
      "int8_linear(Tensor codes, Tensor x_scales, Tensor weights, Tensor w_scales, "
      "Tensor? bias=None, ScalarType dtype=float) -> Tensor");
  m.def(
      "int8_linear.static(Tensor codes, float x_scale, Tensor weights, Tensor w_scales, "
      "Tensor? bias=None, ScalarType dtype=float) -> Tensor");
  m.def("fake_quantize(Tensor x, Tensor scale) -> Tensor");
  m.def("fake_quantize_backward(Tensor x, Tensor grad, float scale) -> (Tensor x, Tensor scale)");
  m.def("hadamard_transform(Tensor x, int block) -> Tensor");
}

namespace sasq::ops {
namespace {

using OptionalTensor = std::optional<at::Tensor>;
using TensorPair = std::tuple<at::Tensor, at::Tensor>;

template <typename Signature>
c10::TypedOperatorHandle<Signature> Find(const char* name, const char* overload = "") {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

Quantized AsQuantized(TensorPair pair) {
  return {std::move(std::get<0>(pair)), std::move(std::get<1>(pair))};
}

}  // namespace

at::Tensor QuantizeStatic(const at::Tensor& x, double scale) {
  static const auto op = Find<at::Tensor(const at::Tensor&, double)>("sasq::quantize_static");
  return op.call(x, scale);
}

Quantized QuantizePerToken(const at::Tensor& x) {
  static const auto op = Find<TensorPair(const at::Tensor&)>("sasq::quantize_per_token");
  return AsQuantized(op.call(x));
}

at::Tensor RmsNormQuantizeStatic(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                 double scale, const OptionalTensor& residual) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, const at::Tensor&, double, double, const OptionalTensor&)>(
          "sasq::rms_norm_quantize_static");
  return op.call(x, gain, epsilon, scale, residual);
}

Quantized RmsNormQuantizePerToken(const at::Tensor& x, const at::Tensor& gain, double epsilon,
                                  const OptionalTensor& residual) {
  static const auto op =
      Find<TensorPair(const at::Tensor&, const at::Tensor&, double, const OptionalTensor&)>(
          "sasq::rms_norm_quantize_per_token");
  return AsQuantized(op.call(x, gain, epsilon, residual));
}

at::Tensor SiluMulQuantizeStatic(const at::Tensor& gate, const at::Tensor& up, double scale) {
  static const auto op = Find<at::Tensor(const at::Tensor&, const at::Tensor&, double)>(
      "sasq::silu_mul_quantize_static");
  return op.call(gate, up, scale);
}

Quantized SiluMulQuantizePerToken(const at::Tensor& gate, const at::Tensor& up) {
  static const auto op =
      Find<TensorPair(const at::Tensor&, const at::Tensor&)>("sasq::silu_mul_quantize_per_token");
  return AsQuantized(op.call(gate, up));
}

at::Tensor PackWeights(const at::Tensor& codes) {
  static const auto op = Find<at::Tensor(const at::Tensor&)>("sasq::pack_weights");
  return op.call(codes);
}

at::Tensor Int8Linear(const at::Tensor& codes, double x_scale, const at::Tensor& weights,
                      const at::Tensor& w_scales, const OptionalTensor& bias,
                      at::ScalarType dtype) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, double, const at::Tensor&, const at::Tensor&,
                      const OptionalTensor&, at::ScalarType)>("sasq::int8_linear", "static");
  return op.call(codes, x_scale, weights, w_scales, bias, dtype);
}

at::Tensor Int8Linear(const at::Tensor& codes, const at::Tensor& x_scales,
                      const at::Tensor& weights, const at::Tensor& w_scales,
                      const OptionalTensor& bias, at::ScalarType dtype) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&, const at::Tensor&,
                      const OptionalTensor&, at::ScalarType)>("sasq::int8_linear");
  return op.call(codes, x_scales, weights, w_scales, bias, dtype);
}

at::Tensor FakeQuantize(const at::Tensor& x, const at::Tensor& scale) {
  static const auto op =
      Find<at::Tensor(const at::Tensor&, const at::Tensor&)>("sasq::fake_quantize");
  return op.call(x, scale);
}

FakeQuantizeGradients FakeQuantizeBackward(const at::Tensor& x, const at::Tensor& grad,
                                           double scale) {
  static const auto op = Find<TensorPair(const at::Tensor&, const at::Tensor&, double)>(
      "sasq::fake_quantize_backward");
  TensorPair gradients = op.call(x, grad, scale);
  return {std::move(std::get<0>(gradients)), std::move(std::get<1>(gradients))};
}

at::Tensor HadamardTransform(const at::Tensor& x, int64_t block) {
  static const auto op = Find<at::Tensor(const at::Tensor&, int64_t)>("sasq::hadamard_transform");
  return op.call(x, block);
}

}  // namespace sasq::ops
