// How many blocks of a kernel fit a multiprocessor, by NVIDIA's own calculator.
//
// usage: occupancy < launches > results
//
// A launch is a line "ARCHITECTURE REGISTERS THREADS STATIC_BYTES DYNAMIC_BYTES", its result a line
// "DEVICE BLOCKS PERCENT": blocks on a multiprocessor, and the share of its threads that they are.
#include <cuda_occupancy.h>

#include <iostream>
#include <map>
#include <string>

namespace {

struct Device {
  const char* name;
  int major;
  int minor;
  int multiprocessors;
  int threads;                // of a multiprocessor
  size_t shared_bytes;        // of a multiprocessor
  size_t shared_block_bytes;  // of a block that asks for it
};

// CUDA C++ Programming Guide 13.0, "Technical Specifications per Compute Capability".
const std::map<std::string, Device>& Devices() {
  static const std::map<std::string, Device> kDevices = {
      {"sm_80", {"A100", 8, 0, 108, 2048, 164 << 10, 163 << 10}},
      {"sm_89", {"L40S", 8, 9, 142, 1536, 100 << 10, 99 << 10}},
      {"sm_90", {"H100", 9, 0, 132, 2048, 228 << 10, 227 << 10}},
      {"sm_100", {"B200", 10, 0, 148, 2048, 228 << 10, 227 << 10}},
      {"sm_120", {"RTX_5090", 12, 0, 170, 1536, 100 << 10, 99 << 10}},
  };
  return kDevices;
}

cudaOccDeviceProp PropertiesOf(const Device& device) {
  cudaOccDeviceProp properties{};
  properties.computeMajor = device.major;
  properties.computeMinor = device.minor;
  properties.maxThreadsPerBlock = 1024;
  properties.maxThreadsPerMultiprocessor = device.threads;
  properties.regsPerBlock = 64 << 10;
  properties.regsPerMultiprocessor = 64 << 10;
  properties.warpSize = 32;
  properties.sharedMemPerBlock = 48 << 10;
  properties.sharedMemPerMultiprocessor = device.shared_bytes;
  properties.numSms = device.multiprocessors;
  properties.sharedMemPerBlockOptin = device.shared_block_bytes;
  properties.reservedSharedMemPerBlock = 1 << 10;
  return properties;
}

}  // namespace

int main() {
  std::string architecture;
  int registers = 0;
  int threads = 0;
  size_t static_bytes = 0;
  size_t dynamic_bytes = 0;
  while (std::cin >> architecture >> registers >> threads >> static_bytes >> dynamic_bytes) {
    const Device& device = Devices().at(architecture);
    const cudaOccDeviceProp properties = PropertiesOf(device);
    cudaOccFuncAttributes kernel{};
    kernel.maxThreadsPerBlock = 1024;
    kernel.numRegs = registers;
    kernel.sharedSizeBytes = static_bytes;
    kernel.maxDynamicSharedSizeBytes = dynamic_bytes;
    kernel.numBlockBarriers = 1;
    kernel.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    cudaOccDeviceState state{};
    state.carveoutConfig = SHAREDMEM_CARVEOUT_DEFAULT;
    cudaOccResult result{};
    if (cudaOccMaxActiveBlocksPerMultiprocessor(&result, &properties, &kernel, &state, threads,
                                                dynamic_bytes) != CUDA_OCC_SUCCESS) {
      std::cerr << "occupancy: the calculator refuses " << architecture << "\n";
      return 1;
    }
    const int blocks = result.activeBlocksPerMultiprocessor;
    std::cout << device.name << " " << blocks << " " << 100 * blocks * threads / device.threads
              << "\n";
  }
  return 0;
}
