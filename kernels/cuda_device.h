// The CUDA device of a worker.
#ifndef SASQ_KERNELS_CUDA_DEVICE_H_
#define SASQ_KERNELS_CUDA_DEVICE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace sasq::kernels {

struct CudaDevice {
  int ordinal = 0;
  std::string name;
  int compute_capability = 0;  // 10 * major + minor
  int64_t memory_bytes = 0;
  int multiprocessors = 0;
};

// The first device that the kernels run on (compute capability 8.0 or newer). NOT_FOUND, with the
// reason, where there is none: no device, no driver or one too old for this build, a device too
// old, or a build without CUDA. All of these mean the CPU path.
absl::StatusOr<CudaDevice> FindCudaDevice();

// Waits for `stream` and returns INTERNAL with CUDA's name for the error if anything queued on it
// failed. CUDA errors are sticky: the process can do no more work on the device and must be
// restarted.
absl::Status SynchronizeCuda(int device, void* stream);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CUDA_DEVICE_H_
