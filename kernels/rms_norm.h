// RMSNorm (Zhang and Sennrich, arXiv 1910.07467) fused with the quantization of its result, with an
// optional residual addition before it.
//
//   h = residual + x (rounded to the storage type and written back), or h = x without a residual
//   f = 1 / sqrt(sum_c h[c]^2 / cols + epsilon)
//   q = clamp(round_half_even(((h[c] * f) * gain[c]) / s), -128, 127)
//
// All in float32, one rounding for each operator. The sum of squares runs in 1,024 lanes: element c
// is added to lane c % 1024 in ascending order, then lanes are halved (lane l += lane l + width,
// width 512, 256 ... 1). So the integers are the same on every path and device.
//
// Errors as in quantize.h; a NaN in h makes every code of the static form 0 in its row. Rows of x
// and of the residual may lie between each other, as the halves of one matrix do.
#ifndef SASQ_KERNELS_RMS_NORM_H_
#define SASQ_KERNELS_RMS_NORM_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

struct RmsNormInput {
  ConstMatrix x;               // cols >= 1
  const void* gain = nullptr;  // [cols], of the type of x
  float epsilon = 0;           // finite, >= 0
  // Null data, or a matrix of x's shape and type that is read and then holds h. May not overlap x.
  Matrix residual;
};

// Static, per tensor: codes[rows, cols], dense, with the one `scale`.
absl::Status RmsNormQuantizeStatic(const CpuContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes);
absl::Status RmsNormQuantizeStatic(const CudaContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes);

// Dynamic, per token: scales[r] by the rule of QuantizePerToken, also for rows that are not finite.
absl::Status RmsNormQuantizePerToken(const CpuContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales);
absl::Status RmsNormQuantizePerToken(const CudaContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_RMS_NORM_H_
