#include <algorithm>

#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/fake_quantize.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/fake_quantize.h"

namespace sasq::kernels {
namespace {

using cuda::kStep;
using cuda::kThreads;

// A matrix that `output` may be the same as: nothing to keep separate then.
Buffer UnlessSame(absl::string_view name, const ConstMatrix& matrix, const ConstMatrix& output) {
  return SameMatrix(matrix, output) ? DenseBuffer(name, nullptr, 1, 0) : MatrixBuffer(name, matrix);
}

template <class T>
unsigned PartialSums(const ConstMatrix& x) {
  const int64_t row_chunks = (x.cols - 1) / cuda::kChunkColumns<T> + 1;
  return static_cast<unsigned>(std::min(
      cuda::kMaxPartialSums,
      x.rows > cuda::kMaxPartialSums / row_chunks ? cuda::kMaxPartialSums : x.rows * row_chunks));
}

absl::Status CheckBackward(absl::string_view operation, const ConstMatrix& x,
                           const ConstMatrix& grad, float scale, const Matrix& grad_x,
                           const double* grad_scale, const void* workspace) {
  SASQ_RETURN_IF_ERROR(CheckScales(operation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(CheckShape(operation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "grad", grad, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "grad_x", grad_x, "x", x));
  constexpr int64_t kBytes = sizeof(double);
  const int64_t partial_sums = FakeQuantizeWorkspaceBytes(x.rows, x.cols) / kBytes;
  return CheckBuffers(
      operation, {MatrixBuffer("x", x), UnlessSame("grad", grad, grad_x)},
      {MatrixBuffer("grad_x", grad_x), DenseBuffer("grad_scale", grad_scale, kBytes, 1),
       DenseBuffer("workspace", workspace, kBytes, partial_sums)});
}

}  // namespace

absl::Status FakeQuantize(const CudaContext& context, const ConstMatrix& x, float scale,
                          const Matrix& y) {
  constexpr absl::string_view kOperation = "FakeQuantize";
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "y", y, "x", x));
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {UnlessSame("x", x, y)}, {MatrixBuffer("y", y)}));
  if (x.rows == 0 || x.cols == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  const bool dense = cuda::IsDense(x) && cuda::IsDense(y);
  const ConstMatrix from = dense ? cuda::Flat(x) : x;
  const ConstMatrix to = dense ? cuda::Flat(y) : y;
  cuda::WithElement(x.type, [&](auto element) {
    cuda::WithBool(cuda::RowsAreAligned(from) && cuda::RowsAreAligned(to), [&](auto vector) {
      using T = decltype(element);
      const dim3 grid = cuda::ElementGrid(from.rows, from.cols, kThreads * kStep<T>);
      const cuda::FakeQuantizeRows<T> rows = {static_cast<const T*>(from.data),
                                              from.row_stride,
                                              static_cast<T*>(y.data),
                                              to.row_stride,
                                              from.rows,
                                              from.cols};
      cuda::FakeQuantizeKernel<T, vector.value>
          <<<grid, kThreads, 0, cuda::StreamOf(context)>>>(rows, scale);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

int64_t FakeQuantizeWorkspaceBytes(int64_t rows, int64_t cols) {
  return rows > 0 && cols > 0 ? cuda::kMaxPartialSums * sizeof(double) : 0;
}

absl::Status FakeQuantizeBackward(const CudaContext& context, const ConstMatrix& x,
                                  const ConstMatrix& grad, float scale, const Matrix& grad_x,
                                  double* grad_scale, void* workspace) {
  constexpr absl::string_view kOperation = "FakeQuantizeBackward";
  SASQ_RETURN_IF_ERROR(CheckBackward(kOperation, x, grad, scale, grad_x, grad_scale, workspace));
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  const cudaStream_t stream = cuda::StreamOf(context);
  auto* partial_sums = static_cast<double*>(workspace);
  unsigned partial_count = 0;
  if (x.rows > 0 && x.cols > 0) {
    const bool aligned =
        cuda::RowsAreAligned(x) && cuda::RowsAreAligned(grad) && cuda::RowsAreAligned(grad_x);
    cuda::WithElement(x.type, [&](auto element) {
      cuda::WithBool(aligned, [&](auto vector) {
        using T = decltype(element);
        partial_count = PartialSums<T>(x);
        const cuda::BackwardRows<T> rows = {static_cast<const T*>(x.data),
                                            x.row_stride,
                                            static_cast<const T*>(grad.data),
                                            grad.row_stride,
                                            static_cast<T*>(grad_x.data),
                                            grad_x.row_stride,
                                            x.rows,
                                            x.cols};
        cuda::FakeQuantizeBackwardKernel<T, vector.value>
            <<<partial_count, kThreads, 0, stream>>>(rows, scale, partial_sums);
      });
    });
    SASQ_RETURN_IF_ERROR(cuda::LaunchStatus(kOperation));
  }
  cuda::SumKernel<<<1, kThreads, 0, stream>>>(partial_sums, static_cast<int>(partial_count),
                                              grad_scale);
  return cuda::LaunchStatus(kOperation);
}

}  // namespace sasq::kernels
