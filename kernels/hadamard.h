// Online Walsh-Hadamard transform of blocks of each row, for methods that rotate activations
// (QuaRot, arXiv 2404.00456).
//
//   y[b * n ... b * n + n) = x[b * n ... b * n + n) H_n / sqrt(n)
//
// with Sylvester's H_n for n = `block`, a power of two in [2, kMaxHadamardBlock] that divides cols.
// In float32: stages of distance 1, 2, 4 ... n / 2, each pair (a, b) becoming (a + b, a - b), then
// one product with 1 / sqrt(n), itself two roundings. The same bits on every path and device, but
// for what a NaN carries. The transform is its own inverse.
//
// y has the shape and type of x and may be the same buffer with the same stride. Errors as in
// quantize.h.
#ifndef SASQ_KERNELS_HADAMARD_H_
#define SASQ_KERNELS_HADAMARD_H_

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/context.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

inline constexpr int64_t kMaxHadamardBlock = 8192;

absl::Status HadamardTransform(const CpuContext& context, const ConstMatrix& x, int64_t block,
                               const Matrix& y);
absl::Status HadamardTransform(const CudaContext& context, const ConstMatrix& x, int64_t block,
                               const Matrix& y);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_HADAMARD_H_
