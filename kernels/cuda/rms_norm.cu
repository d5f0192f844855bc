#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/rms_norm.cuh"
#include "kernels/matrix_checks.h"
#include "kernels/rms_norm.h"

namespace sasq::kernels {
namespace {

bool HasResidual(const RmsNormInput& input) { return input.residual.data != nullptr; }

absl::Status CheckInput(absl::string_view operation, const RmsNormInput& input, const Extent& codes,
                        const Extent& scales) {
  const ConstMatrix& x = input.x;
  SASQ_RETURN_IF_ERROR(CheckMatrix(operation, "x", x));
  if (x.cols == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": x has 0 columns, want at least 1"));
  }
  if (!std::isfinite(input.epsilon) || input.epsilon < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": epsilon is ", input.epsilon, ", want finite and not negative"));
  }
  const int64_t element_bytes = DataTypeBytes(x.type);
  const Extent gain = BufferExtent("gain", input.gain, x.cols, element_bytes);
  Extent residual;
  if (HasResidual(input)) {
    SASQ_RETURN_IF_ERROR(CheckMatrix(operation, "residual", input.residual));
    SASQ_RETURN_IF_ERROR(CheckSameShape(operation, "x", x, "residual", input.residual));
    residual = MatrixExtent("residual", input.residual);
  }
  SASQ_RETURN_IF_ERROR(CheckBuffer(operation, gain, element_bytes));
  SASQ_RETURN_IF_ERROR(CheckBuffer(operation, codes, 1));
  SASQ_RETURN_IF_ERROR(CheckBuffer(operation, scales, sizeof(float)));
  SASQ_RETURN_IF_ERROR(
      CheckSeparate(operation, {codes, scales, residual}, {MatrixExtent("x", x), gain}));
  return cuda::CheckGridRows(operation, x.rows);
}

bool TakesVectors(const RmsNormInput& input, const int8_t* codes) {
  return cuda::RowsAreAligned(input.x) && cuda::IsAligned(input.gain, 16) &&
         (!HasResidual(input) || cuda::RowsAreAligned(input.residual)) &&
         cuda::IsAligned(codes, cuda::StepElements(input.x.type));
}

template <class T>
cuda::RmsNormRows<T> RowsOf(const RmsNormInput& input) {
  return {static_cast<const T*>(input.x.data),
          input.x.row_stride,
          static_cast<T*>(input.residual.data),
          input.residual.row_stride,
          static_cast<const T*>(input.gain),
          input.x.rows,
          input.x.cols,
          input.epsilon};
}

// `input` was checked. Null scales: with the static `scale`.
absl::Status Launch(absl::string_view operation, const CudaContext& context,
                    const RmsNormInput& input, float scale, int8_t* codes, float* scales) {
  if (input.x.rows == 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(const auto device, cuda::ScopedDevice::Create(operation, context));
  cuda::WithElement(input.x.type, [&](auto element) {
    cuda::WithBool(TakesVectors(input, codes), [&](auto vector) {
      cuda::WithBool(scales != nullptr, [&](auto per_token) {
        using T = decltype(element);
        cuda::RmsNormQuantizeKernel<T, vector.value, per_token.value>
            <<<static_cast<unsigned>(input.x.rows), cuda::kNormThreads<T>, 0,
               cuda::StreamOf(context)>>>(RowsOf<T>(input), scale, codes, scales);
      });
    });
  });
  return cuda::LaunchStatus(operation);
}

}  // namespace

absl::Status RmsNormQuantizeStatic(const CudaContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes) {
  constexpr absl::string_view kOperation = "RmsNormQuantizeStatic";
  SASQ_RETURN_IF_ERROR(CheckScale(kOperation, scale));
  SASQ_RETURN_IF_ERROR(CheckMatrix(kOperation, "x", input.x));
  const Extent codes_extent = BufferExtent("codes", codes, input.x.rows * input.x.cols, 1);
  SASQ_RETURN_IF_ERROR(CheckInput(kOperation, input, codes_extent, Extent()));
  return Launch(kOperation, context, input, scale, codes, nullptr);
}

absl::Status RmsNormQuantizePerToken(const CudaContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales) {
  constexpr absl::string_view kOperation = "RmsNormQuantizePerToken";
  SASQ_RETURN_IF_ERROR(CheckMatrix(kOperation, "x", input.x));
  const Extent codes_extent = BufferExtent("codes", codes, input.x.rows * input.x.cols, 1);
  const Extent scales_extent = BufferExtent("scales", scales, input.x.rows, sizeof(float));
  SASQ_RETURN_IF_ERROR(CheckInput(kOperation, input, codes_extent, scales_extent));
  return Launch(kOperation, context, input, 0, codes, scales);
}

}  // namespace sasq::kernels
