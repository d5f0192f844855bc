#include "kernels/hadamard.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"

namespace sasq::kernels {
namespace {

// Small blocks are transformed so many elements at a time: they stay in the first cache.
constexpr int64_t kChunk = 2048;

}  // namespace

absl::Status HadamardTransform(const CpuContext& context, const ConstMatrix& x, int64_t block,
                               const Matrix& y) {
  constexpr absl::string_view kOperation = "HadamardTransform";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "y", y, "x", x));
  if (block < 2 || block > kMaxHadamardBlock || (block & (block - 1)) != 0) {
    return InvalidSize(kOperation, "block", block,
                       absl::StrCat("a power of two in 2..", kMaxHadamardBlock));
  }
  if (x.cols % block != 0) {
    return InvalidSize(kOperation, "cols", x.cols, absl::StrCat("a multiple of block, ", block));
  }
  const ConstMatrix input = SameMatrix(x, y) ? ConstMatrix{nullptr, x.type, 0, 0, 0} : x;
  SASQ_RETURN_IF_ERROR(
      CheckBuffers(kOperation, {MatrixBuffer("x", input)}, {MatrixBuffer("y", y)}));
  ForEachPiece(context.parallel_for, x.rows, x.cols, IsDense(x) && IsDense(y),
               std::max(block, kChunk), [&](int64_t row, int64_t col, int64_t count) {
                 kernels->hadamard(x.type, At(x, row, col), count, block, At(y, row, col));
               });
  return absl::OkStatus();
}

}  // namespace sasq::kernels
