// Fake quantization of activations for training, and its gradient.
//
//   x_hat = s * clamp(round_half_even(x / s), -128, 127)
//
// The backward is LSQ's straight-through rule (Esser et al., arXiv 1902.08153, eq. 3 and 5). With
// g = d loss / d x_hat, and "inside" meaning -128 < x / s < 127:
//   d loss / d x = g inside, 0 outside;
//   d x_hat / d s = round(x / s) - x / s inside, the nearer bound (-128 or 127) outside.
// A NaN in x gives x_hat 0 and the slopes 0 and 0, as it quantizes to 0.
//
// Errors as in quantize.h. An output may be the same buffer as an input of the same element (y and
// x; grad_x and grad), and may not overlap otherwise.
#ifndef SASQ_KERNELS_FAKE_QUANTIZE_H_
#define SASQ_KERNELS_FAKE_QUANTIZE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

// y = x_hat, of the shape and type of x. The same bits on every path and device.
absl::Status FakeQuantize(const CpuContext& context, const ConstMatrix& x, float scale,
                          const Matrix& y);
absl::Status FakeQuantize(const CudaContext& context, const ConstMatrix& x, float scale,
                          const Matrix& y);

// Writes grad_x, of the shape and type of x and grad, and the sum over all elements of
// g * d x_hat / d s, accumulated in double in a fixed order: the same bits on every CPU path, for
// any number of threads, and from run to run on CUDA; CPU and CUDA sums agree to 1e-12 relative to
// the sum of magnitudes, grad_x to the bit.
absl::Status FakeQuantizeBackward(const CpuContext& context, const ConstMatrix& x,
                                  const ConstMatrix& grad, float scale, const Matrix& grad_x,
                                  double* grad_scale);

// On CUDA the sum takes two passes over partial sums in `workspace`, 8-byte aligned device memory
// of FakeQuantizeWorkspaceBytes(rows, cols) bytes; no atomics.
int64_t FakeQuantizeWorkspaceBytes(int64_t rows, int64_t cols);
absl::Status FakeQuantizeBackward(const CudaContext& context, const ConstMatrix& x,
                                  const ConstMatrix& grad, float scale, const Matrix& grad_x,
                                  double* grad_scale, void* workspace);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_FAKE_QUANTIZE_H_
