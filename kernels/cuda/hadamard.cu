#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/hadamard.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/hadamard.h"
#include "kernels/numerics.h"

namespace sasq::kernels {
namespace {

using cuda::kHadamardValues;

constexpr absl::string_view kOperation = "HadamardTransform";
static_assert(kMaxHadamardBlock == cuda::kMaxHadamardThreads * kHadamardValues);

absl::Status CheckBlock(int64_t block, int64_t cols) {
  const bool power_of_two = block >= 2 && block <= kMaxHadamardBlock && (block & (block - 1)) == 0;
  if (power_of_two && cols % block == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(kOperation, ": block is ", block, ", want a power of two from 2 to ",
                   kMaxHadamardBlock, " that divides the ", cols, " columns"));
}

// Whole warps, enough for a block of the transform, and no more than the columns need up to 256.
unsigned ThreadsFor(int64_t block, int64_t cols) {
  int64_t threads = cuda::kWarpThreads;
  while (threads < cuda::kThreads && threads * kHadamardValues < cols) threads *= 2;
  return static_cast<unsigned>(std::max(threads, block / kHadamardValues));
}

}  // namespace

absl::Status HadamardTransform(const CudaContext& context, const ConstMatrix& x, int64_t block,
                               const Matrix& y) {
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "y", y, "x", x));
  SASQ_RETURN_IF_ERROR(CheckBlock(block, x.cols));
  const Buffer input = SameMatrix(x, y) ? DenseBuffer("x", nullptr, 1, 0) : MatrixBuffer("x", x);
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {input}, {MatrixBuffer("y", y)}));
  if (x.rows == 0 || x.cols == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  const unsigned threads = ThreadsFor(block, x.cols);
  const dim3 grid = cuda::ElementGrid(x.rows, x.cols, threads * kHadamardValues);
  // One warp's values stay in its registers.
  const bool exchanges = block > cuda::kWarpThreads * kHadamardValues;
  const size_t shared_bytes = exchanges ? threads * kHadamardValues * sizeof(float) : 0;
  cuda::WithElement(x.type, [&](auto element) {
    cuda::WithBool(cuda::RowsAreAligned(x) && cuda::RowsAreAligned(y), [&](auto vector) {
      using T = decltype(element);
      const cuda::HadamardRows<T> rows = {static_cast<const T*>(x.data),
                                          x.row_stride,
                                          static_cast<T*>(y.data),
                                          y.row_stride,
                                          x.rows,
                                          x.cols,
                                          static_cast<int>(block),
                                          HadamardFactor(block)};
      cuda::HadamardKernel<T, vector.value>
          <<<grid, threads, shared_bytes, cuda::StreamOf(context)>>>(rows);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

}  // namespace sasq::kernels
