#include "kernels/cuda/launch.h"

#include "absl/strings/str_cat.h"

namespace sasq::kernels::cuda {

absl::Status CudaStatus(absl::string_view operation, cudaError_t error) {
  if (error == cudaSuccess) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(operation, ": ", cudaGetErrorName(error), ": ", cudaGetErrorString(error)));
}

absl::StatusOr<ScopedDevice> ScopedDevice::Create(absl::string_view operation,
                                                  const CudaContext& context) {
  int previous = kNone;
  if (const cudaError_t error = cudaGetDevice(&previous); error != cudaSuccess) {
    return CudaStatus(operation, error);
  }
  if (previous == context.device) return ScopedDevice(kNone);
  const cudaError_t error = cudaSetDevice(context.device);
  if (error == cudaErrorInvalidDevice) {
    cudaGetLastError();  // not sticky: forget it
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": context.device is ", context.device, ", want a CUDA device"));
  }
  if (error != cudaSuccess) return CudaStatus(operation, error);
  return ScopedDevice(previous);
}

ScopedDevice::~ScopedDevice() {
  // Going back to a device that was current a moment ago; an error of it is sticky and shows later.
  if (previous_ != kNone) (void)cudaSetDevice(previous_);
}

absl::Status CheckGridRows(absl::string_view operation, int64_t rows) {
  if (rows <= kMaxGridX) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(operation, ": there are ", rows,
                                                 " rows, want at most ", kMaxGridX,
                                                 " on CUDA; call it on parts"));
}

bool RowsAreAligned(const ConstMatrix& matrix) {
  const int64_t step = StepElements(matrix.type);
  return IsAligned(matrix.data, 16) && matrix.cols % step == 0 &&
         (matrix.row_stride % step == 0 || matrix.rows == 1);
}

}  // namespace sasq::kernels::cuda
