#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cuda/dispatch.cuh"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/rms_norm.cuh"
#include "kernels/rms_norm.h"

namespace sasq::kernels {
namespace {

bool HasResidual(const RmsNormInput& input) { return input.residual.data != nullptr; }

// No scales: the static form.
absl::Status CheckArguments(absl::string_view operation, const RmsNormInput& input,
                            const int8_t* codes, const Buffer& scales) {
  const ConstMatrix& x = input.x;
  SASQ_RETURN_IF_ERROR(CheckShape(operation, "x", x));
  if (x.cols < 1) return InvalidSize(operation, "cols", x.cols, "at least 1");
  if (!std::isfinite(input.epsilon) || input.epsilon < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": epsilon is ", input.epsilon, ", want finite and not negative"));
  }
  Buffer residual = DenseBuffer("residual", nullptr, 1, 0);
  if (HasResidual(input)) {
    SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "residual", input.residual, "x", x));
    residual = MatrixBuffer("residual", input.residual);
  }
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      operation,
      {MatrixBuffer("x", x), DenseBuffer("gain", input.gain, DataTypeBytes(x.type), x.cols)},
      {DenseBuffer("codes", codes, 1, x.rows * x.cols), scales, residual}));
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
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckArguments(kOperation, input, codes, DenseBuffer("scales", nullptr, 1, 0)));
  return Launch(kOperation, context, input, scale, codes, nullptr);
}

absl::Status RmsNormQuantizePerToken(const CudaContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales) {
  constexpr absl::string_view kOperation = "RmsNormQuantizePerToken";
  SASQ_RETURN_IF_ERROR(CheckArguments(kOperation, input, codes,
                                      DenseBuffer("scales", scales, sizeof(float), input.x.rows)));
  return Launch(kOperation, context, input, 0, codes, scales);
}

}  // namespace sasq::kernels
