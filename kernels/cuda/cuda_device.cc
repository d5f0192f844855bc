#include "kernels/cuda_device.h"

#include <cuda_runtime_api.h>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/cuda/launch.h"

namespace sasq::kernels {
namespace {

constexpr absl::string_view kFind = "FindCudaDevice";
constexpr int kMinComputeCapability = 80;

// Errors that mean that this machine has no device for us, not that one is broken.
bool MeansNoDevice(cudaError_t error) {
  return error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver;
}

absl::StatusOr<CudaDevice> Describe(int ordinal) {
  cudaDeviceProp properties;
  SASQ_RETURN_IF_ERROR(cuda::CudaStatus(kFind, cudaGetDeviceProperties(&properties, ordinal)));
  return CudaDevice{.ordinal = ordinal,
                    .name = properties.name,
                    .compute_capability = 10 * properties.major + properties.minor,
                    .memory_bytes = static_cast<int64_t>(properties.totalGlobalMem),
                    .multiprocessors = properties.multiProcessorCount};
}

}  // namespace

absl::StatusOr<CudaDevice> FindCudaDevice() {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (MeansNoDevice(error)) {
    (void)cudaGetLastError();  // not sticky: forget it
    return absl::NotFoundError(absl::StrCat("no CUDA device: ", cudaGetErrorString(error)));
  }
  SASQ_RETURN_IF_ERROR(cuda::CudaStatus(kFind, error));
  std::string too_old;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    SASQ_ASSIGN_OR_RETURN(CudaDevice device, Describe(ordinal));
    if (device.compute_capability >= kMinComputeCapability) return device;
    absl::StrAppend(&too_old, too_old.empty() ? "" : ", ", device.name, " of compute capability ",
                    device.compute_capability / 10, ".", device.compute_capability % 10);
  }
  return absl::NotFoundError(absl::StrCat("no CUDA device of compute capability 8.0 or newer",
                                          too_old.empty() ? "" : ": ", too_old));
}

absl::Status SynchronizeCuda(int device, void* stream) {
  constexpr absl::string_view kOperation = "SynchronizeCuda";
  const CudaContext context{device, stream};
  SASQ_ASSIGN_OR_RETURN(const auto scoped, cuda::ScopedDevice::Create(kOperation, context));
  SASQ_RETURN_IF_ERROR(
      cuda::CudaStatus(kOperation, cudaStreamSynchronize(cuda::StreamOf(context))));
  return cuda::CudaStatus(kOperation, cudaGetLastError());
}

}  // namespace sasq::kernels
