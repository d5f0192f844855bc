#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/quantize.cuh"
#include "kernels/cuda/silu_mul.cuh"
#include "kernels/silu_mul.h"

namespace sasq::kernels {
namespace {

using cuda::kStep;
using cuda::kThreads;

// No scales: the static form.
absl::Status CheckArguments(absl::string_view operation, const ConstMatrix& gate,
                            const ConstMatrix& up, const int8_t* codes, const Buffer& scales) {
  SASQ_RETURN_IF_ERROR(CheckShape(operation, "gate", gate));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "up", up, "gate", gate));
  if (gate.cols < 1) return InvalidSize(operation, "cols", gate.cols, "at least 1");
  return CheckBuffers(operation, {MatrixBuffer("gate", gate), MatrixBuffer("up", up)},
                      {DenseBuffer("codes", codes, 1, gate.rows * gate.cols), scales});
}

bool TakesVectors(const ConstMatrix& gate, const ConstMatrix& up, const int8_t* codes) {
  return cuda::RowsAreAligned(gate) && cuda::RowsAreAligned(up) &&
         cuda::IsAligned(codes, cuda::StepElements(gate.type));
}

template <class T>
cuda::SiluMulSource<T> SourceOf(const ConstMatrix& gate, const ConstMatrix& up) {
  return {static_cast<const T*>(gate.data),
          gate.row_stride,
          static_cast<const T*>(up.data),
          up.row_stride,
          gate.rows,
          gate.cols};
}

}  // namespace

absl::Status SiluMulQuantizeStatic(const CudaContext& context, const ConstMatrix& gate,
                                   const ConstMatrix& up, float scale, int8_t* codes) {
  constexpr absl::string_view kOperation = "SiluMulQuantizeStatic";
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckArguments(kOperation, gate, up, codes, DenseBuffer("scales", nullptr, 1, 0)));
  if (gate.rows == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  cuda::WithElement(gate.type, [&](auto element) {
    cuda::WithBool(TakesVectors(gate, up, codes), [&](auto vector) {
      using T = decltype(element);
      const dim3 grid = cuda::ElementGrid(gate.rows, gate.cols, kThreads * kStep<T>);
      cuda::QuantizeStaticKernel<cuda::SiluMulSource<T>, vector.value>
          <<<grid, kThreads, 0, cuda::StreamOf(context)>>>(SourceOf<T>(gate, up), scale, codes);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

absl::Status SiluMulQuantizePerToken(const CudaContext& context, const ConstMatrix& gate,
                                     const ConstMatrix& up, int8_t* codes, float* scales) {
  constexpr absl::string_view kOperation = "SiluMulQuantizePerToken";
  SASQ_RETURN_IF_ERROR(CheckArguments(kOperation, gate, up, codes,
                                      DenseBuffer("scales", scales, sizeof(float), gate.rows)));
  SASQ_RETURN_IF_ERROR(cuda::CheckGridRows(kOperation, gate.rows));
  if (gate.rows == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(kOperation, context));
  cuda::WithElement(gate.type, [&](auto element) {
    cuda::WithBool(TakesVectors(gate, up, codes), [&](auto vector) {
      using T = decltype(element);
      cuda::QuantizePerTokenKernel<cuda::SiluMulSource<T>, vector.value>
          <<<static_cast<unsigned>(gate.rows), kThreads, 0, cuda::StreamOf(context)>>>(
              SourceOf<T>(gate, up), codes, scales);
    });
  });
  return cuda::LaunchStatus(kOperation);
}

}  // namespace sasq::kernels
