#include "quant/model/int8_linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>

#include <vector>

namespace sasq {
namespace {

constexpr int kFirstTokenRows = 3;

// y[out_features] of the one row x[1, in_features] at nearly float32 precision.
at::Tensor FirstTokenLinear(const QuantizedSite& site, const at::Tensor& x) {
  std::vector<at::Tensor> codes, scales;
  at::Tensor rest = x;
  for (int part = 0; part < kFirstTokenRows; ++part) {
    const ops::Quantized quantized = ops::QuantizePerToken(rest);
    rest = rest - quantized.codes.to(at::kFloat) * quantized.scales;
    codes.push_back(quantized.codes);
    scales.push_back(quantized.scales);
  }
  const at::Tensor parts = ops::Int8Linear(at::cat(codes), at::cat(scales), site.weights,
                                           site.scales, /*bias=*/std::nullopt);
  at::Tensor y = parts[0] + (parts[1] + parts[2]);
  if (site.bias.has_value()) y += *site.bias;
  return y;
}

// Replaces row 0 of y by the product of row 0 of x in floating point.
at::Tensor WithFirstToken(const QuantizedSite& site, const at::Tensor& x, at::Tensor y) {
  y[0].copy_(FirstTokenLinear(site, x.narrow(0, 0, 1)));
  return y;
}

}  // namespace

at::Tensor StaticInt8Linear(const QuantizedSite& site, const at::Tensor& x, float scale,
                            bool first_token_float) {
  const at::Tensor codes = ops::QuantizeStatic(x, scale);
  at::Tensor y = ops::Int8Linear(codes, scale, site.weights, site.scales, site.bias);
  return first_token_float ? WithFirstToken(site, x, std::move(y)) : y;
}

at::Tensor DynamicInt8Linear(const QuantizedSite& site, const at::Tensor& x,
                             bool first_token_float) {
  const ops::Quantized quantized = ops::QuantizePerToken(x);
  at::Tensor y =
      ops::Int8Linear(quantized.codes, quantized.scales, site.weights, site.scales, site.bias);
  return first_token_float ? WithFirstToken(site, x, std::move(y)) : y;
}

}  // namespace sasq
