#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/quantize.cuh"
#include "kernels/quantize.h"

namespace sasq::kernels {
namespace {

using cuda::kStep;
using cuda::kThreads;

template <class T>
cuda::MatrixSource<T> SourceOf(const ConstMatrix& x) {
  return {static_cast<const T*>(x.data), x.row_stride, x.rows, x.cols};
}

// Whether rows of x and of codes can be accessed in whole steps.
bool TakesVectors(const ConstMatrix& x, const int8_t* codes) {
  return cuda::RowsAreAligned(x) && cuda::IsAligned(codes, cuda::StepElements(x.type));
}

}  // namespace

absl::Status QuantizeStatic(const CudaContext& context, const ConstMatrix& x, float scale,
                            int8_t* codes) {
  constexpr absl::string_view kOperation = "QuantizeStatic";
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {MatrixBuffer("x", x)},
                                    {DenseBuffer("codes", codes, 1, x.rows * x.cols)}));
  if (x.rows == 0 || x.cols == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  const ConstMatrix rows = cuda::IsDense(x) ? cuda::Flat(x) : x;
  cuda::WithElement(x.type, [&](auto element) {
    cuda::WithBool(TakesVectors(rows, codes), [&](auto vector) {
      using T = decltype(element);
      const dim3 grid = cuda::ElementGrid(rows.rows, rows.cols, kThreads * kStep<T>);
      cuda::QuantizeStaticKernel<cuda::MatrixSource<T>, vector.value>
          <<<grid, kThreads, 0, cuda::StreamOf(context)>>>(SourceOf<T>(rows), scale, codes);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

absl::Status QuantizePerToken(const CudaContext& context, const ConstMatrix& x, int8_t* codes,
                              float* scales) {
  constexpr absl::string_view kOperation = "QuantizePerToken";
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {MatrixBuffer("x", x)},
                                    {DenseBuffer("codes", codes, 1, x.rows * x.cols),
                                     DenseBuffer("scales", scales, sizeof(float), x.rows)}));
  SASQ_RETURN_IF_ERROR(cuda::CheckGridRows(kOperation, x.rows));
  if (x.rows == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  cuda::WithElement(x.type, [&](auto element) {
    cuda::WithBool(TakesVectors(x, codes), [&](auto vector) {
      using T = decltype(element);
      cuda::QuantizePerTokenKernel<cuda::MatrixSource<T>, vector.value>
          <<<static_cast<unsigned>(x.rows), kThreads, 0, cuda::StreamOf(context)>>>(SourceOf<T>(x),
                                                                                    codes, scales);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

}  // namespace sasq::kernels
