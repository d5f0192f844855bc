// Memory of a CUDA device.
#ifndef SASQ_TESTS_KERNELS_CUDA_DEVICE_MEMORY_H_
#define SASQ_TESTS_KERNELS_CUDA_DEVICE_MEMORY_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <vector>

#include "common/status_macros.h"

namespace sasq::kernels {

// A copy of host bytes on the current device; ends the program if CUDA fails.
class DeviceMemory {
 public:
  explicit DeviceMemory(const std::vector<std::byte>& bytes) : size_bytes_(bytes.size()) {
    SASQ_CHECK(cudaMalloc(&data_, size_bytes_) == cudaSuccess);
    SASQ_CHECK(cudaMemcpy(data_, bytes.data(), size_bytes_, cudaMemcpyHostToDevice) == cudaSuccess);
  }
  explicit DeviceMemory(size_t size_bytes)
      : DeviceMemory(std::vector<std::byte>(size_bytes, std::byte{0x55})) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }

  template <class T>
  T* As() const {
    return static_cast<T*>(data_);
  }

  std::vector<std::byte> Download() const {
    std::vector<std::byte> bytes(size_bytes_);
    SASQ_CHECK(cudaMemcpy(bytes.data(), data_, size_bytes_, cudaMemcpyDeviceToHost) == cudaSuccess);
    return bytes;
  }

 private:
  void* data_ = nullptr;
  size_t size_bytes_;
};

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_KERNELS_CUDA_DEVICE_MEMORY_H_
