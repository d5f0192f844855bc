// Quantization of activations and weights to INT8, symmetric (zero point 0).
//
//   q = clamp(round_half_even(x / s), -128, 127)
//
// The division is a division, not a product with 1 / s: the codes of every device must agree. A NaN
// quantizes to 0, infinities to the ends of the range. All matrices are row-major with dense rows.
// Every function returns INVALID_ARGUMENT that names the argument when `path` cannot run here, a
// pointer to a buffer with elements is null, a size is negative, an output overlaps another buffer,
// or a scale is not finite and positive, and writes nothing then. An empty matrix is no work.
// Every path gives the same bits.
#ifndef SASQ_KERNELS_QUANTIZE_H_
#define SASQ_KERNELS_QUANTIZE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/cpu_path.h"
#include "kernels/parallel.h"

namespace sasq::kernels {

// Static, per tensor: codes[rows, cols] of x[rows, cols] with the one `scale`.
absl::Status QuantizeStatic(CpuPath path, const float* x, int64_t rows, int64_t cols, float scale,
                            int8_t* codes, ParallelFor parallel_for);

// Dynamic, per token: scales[r] = max_c |x[r, c]| / 127 and codes[rows, cols] with it. Where that
// scale would be below the smallest normal float, zero included, it is 1 and the codes are 0. A row
// with a NaN or an infinity gives INVALID_ARGUMENT that names the first such row; what the outputs
// hold is then unspecified.
absl::Status QuantizePerToken(CpuPath path, const float* x, int64_t rows, int64_t cols,
                              int8_t* codes, float* scales, ParallelFor parallel_for);

// Weights, per output channel: the same rule as QuantizePerToken on w[channels, cols], with codes
// within [-127, 127].
absl::Status QuantizeWeights(CpuPath path, const float* w, int64_t channels, int64_t cols,
                             int8_t* codes, float* scales, ParallelFor parallel_for);

// Backward of x_hat = s * clamp(round_half_even(x / s), -128, 127) by LSQ's straight-through rule
// (Esser et al., arXiv 1902.08153, eq. 3 and 5). With g = d loss / d x_hat, and "inside" meaning
// -128 < x / s < 127:
//   d loss / d x = g inside, 0 outside;
//   d x_hat / d s = round(x / s) - x / s inside, the nearer bound (-128 or 127) outside.
// A NaN in x has the slopes 0 and 0, as it quantizes to 0. Writes grad_x[rows, cols] and the sum
// over all elements of g * d x_hat / d s, accumulated in double over fixed blocks in a fixed order:
// the same bits for any number of threads. `grad_x` may be the same pointer as `grad`.
absl::Status FakeQuantizeBackward(CpuPath path, const float* x, const float* grad, int64_t rows,
                                  int64_t cols, float scale, float* grad_x, double* grad_scale,
                                  ParallelFor parallel_for);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_QUANTIZE_H_
