#include "quant/train/backward_weights.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <cmath>
#include <limits>

#include "common/status_macros.h"
#include "kernels/gemm.h"
#include "kernels/quantize.h"
#include "quant/model/compute_threads.h"

namespace sasq {
namespace {

absl::StatusOr<kernels::PackedWeights> PackTransposed(const kernels::PackedWeights& weights) {
  const size_t out_features = static_cast<size_t>(weights.out_features());
  const size_t in_features = static_cast<size_t>(weights.in_features());
  std::vector<float> values(out_features * in_features);
  SASQ_RETURN_IF_ERROR(
      kernels::DequantizeWeights(weights.view(), values.data(), ComputeParallelFor));
  std::vector<int8_t> codes(values.size());
  ComputeParallelFor(weights.in_features(), [&](int64_t begin, int64_t end) {
    for (size_t n = 0; n < out_features; ++n) {
      const float scale = weights.scales()[n];
      for (size_t k = static_cast<size_t>(begin); k < static_cast<size_t>(end); ++k) {
        // values = scale * code, rounded once: the quotient is within 2^-16 of the code.
        codes[k * out_features + n] =
            static_cast<int8_t>(std::lrintf(values[n * in_features + k] / scale));
      }
    }
  });
  return kernels::PackedWeights::Pack(weights.path(), codes.data(), weights.in_features(),
                                      weights.out_features(), std::vector<float>(in_features, 1));
}

// scaled[t, n] = grad[t, n] * scales[n].
void ScaleColumns(const float* grad, absl::Span<const float> scales, int64_t rows, float* scaled) {
  const int64_t cols = static_cast<int64_t>(scales.size());
  ComputeParallelFor(rows, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t n = 0; n < cols; ++n) scaled[t * cols + n] = grad[t * cols + n] * scales[n];
    }
  });
}

// values[t, n] -= scales[t] * codes[t, n].
void SubtractCodes(const int8_t* codes, const float* scales, int64_t rows, int64_t cols,
                   float* values) {
  ComputeParallelFor(rows, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      for (int64_t n = 0; n < cols; ++n) {
        values[t * cols + n] -= scales[t] * static_cast<float>(codes[t * cols + n]);
      }
    }
  });
}

}  // namespace

absl::StatusOr<std::shared_ptr<const BackwardWeights>> BackwardWeights::Create(
    std::shared_ptr<const QuantizedWeights> weights) {
  std::shared_ptr<BackwardWeights> backward(new BackwardWeights(std::move(weights)));
  for (const SiteId site : backward->forward().model().sites()) {
    SASQ_ASSIGN_OR_RETURN(kernels::PackedWeights transposed,
                          PackTransposed(backward->forward().site(site).weights));
    backward->transposed_.push_back(std::move(transposed));
  }
  return backward;
}

at::Tensor BackwardWeights::InputGradient(SiteId site, const at::Tensor& grad_y) const {
  const kernels::PackedWeights& transposed = transposed_[static_cast<size_t>(SiteIndex(site))];
  const kernels::CpuContext context = {transposed.path(), ComputeParallelFor};
  const at::Tensor dense = grad_y.contiguous();
  const int64_t rows = dense.size(0);
  const int64_t cols = dense.size(1);
  SASQ_CHECK(cols == transposed.in_features());

  at::Tensor rest = at::empty({rows, cols}, dense.options());
  float* const values = rest.mutable_data_ptr<float>();
  ScaleColumns(dense.const_data_ptr<float>(), forward().site(site).weights.scales(), rows, values);
  at::Tensor codes = at::empty({2 * rows, cols}, dense.options().dtype(at::kChar));
  int8_t* const first_codes = codes.mutable_data_ptr<int8_t>();
  int8_t* const second_codes = first_codes + rows * cols;
  std::vector<float> scales(static_cast<size_t>(2 * rows));
  const kernels::Matrix rest_matrix = kernels::DenseMatrix(values, rows, cols);
  absl::Status status = kernels::QuantizePerToken(context, rest_matrix, first_codes, scales.data());
  if (!status.ok()) {
    return at::full({rows, transposed.out_features()}, std::numeric_limits<float>::quiet_NaN(),
                    dense.options());
  }
  SubtractCodes(first_codes, scales.data(), rows, cols, values);
  status = kernels::QuantizePerToken(context, rest_matrix, second_codes, scales.data() + rows);
  SASQ_CHECK(status.ok());
  at::Tensor products = at::empty({2 * rows, transposed.out_features()}, dense.options());
  status =
      kernels::Gemm(context, first_codes, {.per_row = scales.data()}, transposed.view(), nullptr,
                    kernels::DenseMatrix(products.mutable_data_ptr<float>(), 2 * rows,
                                         transposed.out_features()));
  SASQ_CHECK(status.ok());
  return products.narrow(0, 0, rows).add_(products.narrow(0, rows, rows));
}

}  // namespace sasq
