#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/quantize.cuh"
#include "kernels/cuda/silu_mul.cuh"
#include "kernels/matrix_checks.h"
#include "kernels/silu_mul.h"

namespace sasq::kernels {
namespace {

using cuda::kStep;
using cuda::kThreads;

absl::Status CheckInputs(absl::string_view operation, const ConstMatrix& gate,
                         const ConstMatrix& up) {
  SASQ_RETURN_IF_ERROR(CheckMatrix(operation, "gate", gate));
  SASQ_RETURN_IF_ERROR(CheckMatrix(operation, "up", up));
  SASQ_RETURN_IF_ERROR(CheckSameShape(operation, "gate", gate, "up", up));
  if (gate.cols > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": gate has 0 columns, want at least 1"));
}

// Of inputs that passed CheckInputs.
absl::Status CheckOutputs(absl::string_view operation, const ConstMatrix& gate,
                          const ConstMatrix& up, const Extent& codes, const Extent& scales) {
  SASQ_RETURN_IF_ERROR(CheckBuffer(operation, codes, 1));
  SASQ_RETURN_IF_ERROR(CheckBuffer(operation, scales, sizeof(float)));
  return CheckSeparate(operation, {codes, scales},
                       {MatrixExtent("gate", gate), MatrixExtent("up", up)});
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
  SASQ_RETURN_IF_ERROR(CheckScale(kOperation, scale));
  SASQ_RETURN_IF_ERROR(CheckInputs(kOperation, gate, up));
  const Extent codes_extent = BufferExtent("codes", codes, gate.rows * gate.cols, 1);
  SASQ_RETURN_IF_ERROR(CheckOutputs(kOperation, gate, up, codes_extent, Extent()));
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
  SASQ_RETURN_IF_ERROR(CheckInputs(kOperation, gate, up));
  const Extent codes_extent = BufferExtent("codes", codes, gate.rows * gate.cols, 1);
  const Extent scales_extent = BufferExtent("scales", scales, gate.rows, sizeof(float));
  SASQ_RETURN_IF_ERROR(CheckOutputs(kOperation, gate, up, codes_extent, scales_extent));
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
