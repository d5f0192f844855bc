#include "quant/model/int8_linear.h"

#include <ATen/ops/empty.h>

#include <vector>

#include "common/status_macros.h"
#include "kernels/gemm.h"
#include "kernels/quantize.h"
#include "quant/model/compute_threads.h"

namespace sasq {
namespace {

constexpr int kFirstTokenRows = 3;

// y[out_features] of the one row x[in_features] at nearly float32 precision.
absl::Status FirstTokenLinear(kernels::CpuPath path, const QuantizedWeights::Site& site,
                              const float* x, float* y) {
  const int64_t in_features = site.weights.in_features();
  const int64_t out_features = site.weights.out_features();
  std::vector<float> rest(x, x + in_features);
  std::vector<int8_t> codes(static_cast<size_t>(kFirstTokenRows * in_features));
  float scales[kFirstTokenRows];
  for (int part = 0; part < kFirstTokenRows; ++part) {
    int8_t* row = codes.data() + part * in_features;
    SASQ_RETURN_IF_ERROR(kernels::QuantizePerToken(
        {path, kernels::SerialFor}, kernels::DenseMatrix(rest.data(), 1, in_features), row,
        &scales[part]));
    for (int64_t i = 0; i < in_features; ++i) {
      rest[static_cast<size_t>(i)] -= scales[part] * static_cast<float>(row[i]);
    }
  }
  std::vector<float> parts(static_cast<size_t>(kFirstTokenRows * out_features));
  SASQ_RETURN_IF_ERROR(kernels::Gemm(
      {path, ComputeParallelFor}, codes.data(), {.per_row = scales}, site.weights.view(), nullptr,
      kernels::DenseMatrix(parts.data(), kFirstTokenRows, out_features)));
  for (int64_t n = 0; n < out_features; ++n) {
    const float* part = parts.data() + n;
    y[n] = part[0] + (part[out_features] + part[2 * out_features]);
    if (!site.bias.empty()) y[n] += site.bias[static_cast<size_t>(n)];
  }
  return absl::OkStatus();
}

// `quantize` writes codes of a matrix and sets its scales, those of tokens into the given vector.
template <typename Quantize>
absl::StatusOr<at::Tensor> Int8Linear(kernels::CpuPath path, const QuantizedWeights::Site& site,
                                      const at::Tensor& x, bool first_token_float,
                                      Quantize quantize) {
  if (!x.is_cpu() || x.scalar_type() != at::kFloat || x.dim() != 2) {
    return absl::InternalError("INT8 linears take a float32 matrix on the CPU");
  }
  const at::Tensor dense = x.contiguous();
  const int64_t in_features = site.weights.in_features();
  const int64_t out_features = site.weights.out_features();
  SASQ_CHECK(dense.size(1) == in_features);
  at::Tensor y = at::empty({dense.size(0), out_features}, dense.options());
  const float* input = dense.const_data_ptr<float>();
  float* output = y.mutable_data_ptr<float>();
  int64_t rows = dense.size(0);
  if (first_token_float) {
    SASQ_RETURN_IF_ERROR(FirstTokenLinear(path, site, input, output));
    input += in_features;
    output += out_features;
    --rows;
  }
  if (rows == 0) return y;
  at::Tensor codes = at::empty({rows, in_features}, dense.options().dtype(at::kChar));
  int8_t* const code = codes.mutable_data_ptr<int8_t>();
  std::vector<float> token_scales;
  kernels::ActivationScales scales;
  SASQ_RETURN_IF_ERROR(
      quantize(kernels::DenseMatrix(input, rows, in_features), code, token_scales, scales));
  SASQ_RETURN_IF_ERROR(kernels::Gemm({path, ComputeParallelFor}, code, scales, site.weights.view(),
                                     site.bias.empty() ? nullptr : site.bias.data(),
                                     kernels::DenseMatrix(output, rows, out_features)));
  return y;
}

}  // namespace

absl::StatusOr<at::Tensor> StaticInt8Linear(kernels::CpuPath path,
                                            const QuantizedWeights::Site& site, const at::Tensor& x,
                                            float scale, bool first_token_float) {
  return Int8Linear(
      path, site, x, first_token_float,
      [&](const kernels::ConstMatrix& input, int8_t* codes, std::vector<float>&,
          kernels::ActivationScales& scales) {
        scales.scale = scale;
        return kernels::QuantizeStatic({path, ComputeParallelFor}, input, scale, codes);
      });
}

absl::StatusOr<at::Tensor> DynamicInt8Linear(kernels::CpuPath path,
                                             const QuantizedWeights::Site& site,
                                             const at::Tensor& x, bool first_token_float) {
  return Int8Linear(path, site, x, first_token_float,
                    [&](const kernels::ConstMatrix& input, int8_t* codes,
                        std::vector<float>& token_scales, kernels::ActivationScales& scales) {
                      token_scales.resize(static_cast<size_t>(input.rows));
                      scales.per_row = token_scales.data();
                      return kernels::QuantizePerToken({path, ComputeParallelFor}, input, codes,
                                                       token_scales.data());
                    });
}

}  // namespace sasq
