// INT8 matrix product with a fused dequantizing epilogue.
//
//   y[m, n] = float(sum_k a[m, k] * w[n, k]) * (s_x[m] * s_w[n]) + bias[n]
//
// The sum is an exact int32; it is converted to float once, and each operator rounds once. s_x is
// either one scalar (static) or one per row (dynamic per token). y is float32, float16 or bfloat16.
// The same bits on every path and device and for any number of threads. No int32 matrix goes to
// memory. Few rows (decode) take kernels of their own, bound by reading the weights.
#ifndef SASQ_KERNELS_GEMM_H_
#define SASQ_KERNELS_GEMM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "kernels/context.h"
#include "kernels/matrix.h"
#include "kernels/packed_weights.h"

namespace sasq::kernels {

// Scales of the activations: `scale` for all rows, or, where `per_row` is not null, one value per
// row in memory of the context's device.
struct ActivationScales {
  float scale = 0;
  const float* per_row = nullptr;
};

// y[rows, out_features] of codes[rows, in_features], dense. Scales are finite and positive (CUDA
// does not look at per_row). `bias` is null or holds out_features float32 values. y.rows rows; no
// rows are no work. The weights are packed for the context's path. INVALID_ARGUMENT names what is
// wrong (null, negative, misaligned, a scale, or `y` overlapping an input); `y` is untouched then.
// Each running body of `parallel_for` takes up to 1.5 MB of scratch memory (4 MB at the largest K).
absl::Status Gemm(const CpuContext& context, const int8_t* codes, const ActivationScales& x_scales,
                  const PackedWeightsView& weights, const float* bias, const Matrix& y);

// On CUDA in_features must be a multiple of 16 (pad codes and weights with zeros), `codes` and
// weights.codes aligned to 16 bytes. Tensor cores compute more than 8 rows, if out_features and
// y.row_stride are multiples of 4, y is aligned to 4 of its values and weights.scales and `bias`
// are aligned to 16 bytes; any other product is right but slow: pad the output channels.
absl::Status Gemm(const CudaContext& context, const int8_t* codes, const ActivationScales& x_scales,
                  const CudaWeightsView& weights, const float* bias, const Matrix& y);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_GEMM_H_
