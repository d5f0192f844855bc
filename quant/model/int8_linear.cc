#include "quant/model/int8_linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/where.h>

#include <vector>

#include "quant/format/site_rule.h"

namespace sasq {
namespace {

constexpr int kFloatParts = 3;

// y[rows, out_features] at nearly float32 precision.
at::Tensor FloatRows(const QuantizedSite& site, const at::Tensor& x) {
  const int64_t rows = x.size(0);
  std::vector<at::Tensor> codes, scales;
  at::Tensor rest = x;
  for (int part = 0; part < kFloatParts; ++part) {
    const ops::Quantized quantized = ops::QuantizePerToken(rest);
    rest = rest - quantized.codes.to(at::kFloat) * quantized.scales.unsqueeze(1);
    codes.push_back(quantized.codes);
    scales.push_back(quantized.scales);
  }
  const at::Tensor parts = ops::Int8Linear(at::cat(codes), at::cat(scales), site.weights,
                                           site.scales, /*bias=*/std::nullopt);
  at::Tensor y =
      parts.narrow(0, 0, rows) + (parts.narrow(0, rows, rows) + parts.narrow(0, 2 * rows, rows));
  if (site.bias.has_value()) y += *site.bias;
  return y;
}

// Replaces the first rows of y by their products in floating point.
at::Tensor WithFloatRows(const QuantizedSite& site, const at::Tensor& x, int64_t float_rows,
                         at::Tensor y) {
  if (float_rows > 0) {
    y.narrow(0, 0, float_rows).copy_(FloatRows(site, x.narrow(0, 0, float_rows)));
  }
  return y;
}

}  // namespace

ops::Quantized QuantizeRows(const at::Tensor& x, int bits) {
  if (bits == 8) return ops::QuantizePerToken(x);
  const at::Tensor absmax = x.abs().amax(1);
  const at::Tensor scales = at::where(absmax > 0, absmax / LargestCode(bits), 1.0);
  return {(x / scales.unsqueeze(1)).round_().to(at::kChar), scales};
}

at::Tensor StaticInt8Linear(const QuantizedSite& site, const at::Tensor& x, float scale, int bits,
                            int64_t float_rows) {
  at::Tensor codes = ops::QuantizeStatic(x, scale);
  if (bits < 8) codes.clamp_(-LargestCode(bits) - 1, LargestCode(bits));
  return WithFloatRows(site, x, float_rows,
                       ops::Int8Linear(codes, scale, site.weights, site.scales, site.bias));
}

at::Tensor DynamicInt8Linear(const QuantizedSite& site, const at::Tensor& x, int bits,
                             int64_t float_rows) {
  const ops::Quantized quantized = QuantizeRows(x, bits);
  return WithFloatRows(
      site, x, float_rows,
      ops::Int8Linear(quantized.codes, quantized.scales, site.weights, site.scales, site.bias));
}

}  // namespace sasq
