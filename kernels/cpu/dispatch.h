// Internal: from a context to kernels, and from matrices to work for threads.
#ifndef SASQ_KERNELS_CPU_DISPATCH_H_
#define SASQ_KERNELS_CPU_DISPATCH_H_

#include <algorithm>
#include <cstdint>

#include "absl/status/statusor.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu_path.h"
#include "kernels/matrix.h"
#include "kernels/parallel.h"

namespace sasq::kernels {

// The kernels of `path`, INVALID_ARGUMENT if this CPU cannot run them.
absl::StatusOr<const CpuKernels*> FindKernels(CpuPath path);

// Element [row, col].
inline const void* At(const ConstMatrix& matrix, int64_t row, int64_t col = 0) {
  return static_cast<const char*>(matrix.data) +
         (row * matrix.row_stride + col) * DataTypeBytes(matrix.type);
}
inline void* At(const Matrix& matrix, int64_t row, int64_t col = 0) {
  return static_cast<char*>(matrix.data) +
         (row * matrix.row_stride + col) * DataTypeBytes(matrix.type);
}

inline bool IsDense(const ConstMatrix& matrix) { return matrix.row_stride == matrix.cols; }

// Runs body(row, col, count) on pieces of rows that cover [rows, cols], at most `block` elements
// each, for work in which every element stands alone. If `dense`, everything is one long row.
template <typename Body>
void ForEachPiece(ParallelFor parallel_for, int64_t rows, int64_t cols, bool dense, int64_t block,
                  const Body& body) {
  if (rows == 0 || cols == 0) return;
  if (dense) {
    cols *= rows;
    rows = 1;
  }
  const int64_t blocks = BlockCount(cols, block);
  parallel_for(rows * blocks, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t col = item % blocks * block;
      body(item / blocks, col, std::min(block, cols - col));
    }
  });
}

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_DISPATCH_H_
