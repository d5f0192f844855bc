// Quantization of activations and weights to INT8, symmetric (zero point 0).
//
//   q = clamp(round_half_even(x / s), -128, 127)
//
// The division is a division, not a product with 1 / s: the codes of every device agree. A NaN
// quantizes to 0, infinities to the ends of the range. Codes are row-major and dense, [rows, cols].
//
// Every function returns INVALID_ARGUMENT that names the argument when the context cannot run here,
// a pointer to a buffer with elements is null or misaligned, a size is negative, an output overlaps
// another buffer, or a scale is not finite and positive, and writes nothing then. An empty matrix
// is no work. Sizes are 64-bit; on CUDA the operations that treat a row as a whole (per token,
// RMSNorm) take up to 2^31 - 1 rows. The same integers on every path and device. Thread-safe.
#ifndef SASQ_KERNELS_QUANTIZE_H_
#define SASQ_KERNELS_QUANTIZE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

// Static, per tensor: codes of x with the one `scale`.
absl::Status QuantizeStatic(const CpuContext& context, const ConstMatrix& x, float scale,
                            int8_t* codes);
absl::Status QuantizeStatic(const CudaContext& context, const ConstMatrix& x, float scale,
                            int8_t* codes);

// Dynamic, per token: scales[r] = max_c |x[r, c]| / 127 and the codes of row r with it. Where that
// scale would be below the smallest normal float, zero included, it is 1 and the codes are 0.
// Weights are quantized by the same rule: a row of theirs is an output channel.
// A row with a NaN or an infinity: on the CPU INVALID_ARGUMENT that names the first such row (what
// the outputs hold is then unspecified); on CUDA, which reports nothing back, the row's scale is
// NaN and its codes are 0.
absl::Status QuantizePerToken(const CpuContext& context, const ConstMatrix& x, int8_t* codes,
                              float* scales);
absl::Status QuantizePerToken(const CudaContext& context, const ConstMatrix& x, int8_t* codes,
                              float* scales);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_QUANTIZE_H_
