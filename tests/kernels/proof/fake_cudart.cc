#include "tests/kernels/proof/fake_cudart.h"

#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace sasq::kernels {
namespace {

constexpr int64_t kDefaultSharedLimit = 48 << 10;

struct Configuration {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
  void* stream = nullptr;
};

struct Runtime {
  FakeDevice device;
  ParameterSizes sizes;
  std::map<const void*, std::string> names;
  std::map<const void*, int64_t> shared_limits;
  Configuration pushed;
  std::vector<RecordedLaunch> launches;
};

// Kernels register themselves before main: the runtime has to exist at the first call.
Runtime& TheRuntime() {
  static Runtime runtime;
  return runtime;
}

[[noreturn]] void Fail(const char* what, const char* which) {
  std::fprintf(stderr, "fake_cudart: %s: %s\n", what, which);
  std::exit(3);
}

cudaError_t Record(const void* function, dim3 grid, dim3 block, void** arguments,
                   size_t shared_bytes, cudaStream_t stream) {
  Runtime& runtime = TheRuntime();
  const auto name = runtime.names.find(function);
  if (name == runtime.names.end()) Fail("launch", "of an unknown kernel");
  const auto sizes = runtime.sizes.find(name->second);
  if (sizes == runtime.sizes.end()) Fail("no PTX of a launched kernel", name->second.c_str());
  const auto limit = runtime.shared_limits.find(function);
  RecordedLaunch launch{
      .kernel = name->second,
      .grid = {grid.x, grid.y, grid.z},
      .block = {block.x, block.y, block.z},
      .shared_bytes = static_cast<int64_t>(shared_bytes),
      .shared_limit_bytes =
          limit == runtime.shared_limits.end() ? kDefaultSharedLimit : limit->second,
      .stream = reinterpret_cast<uint64_t>(stream),
      .arguments = {},
  };
  for (size_t i = 0; i < sizes->second.size(); ++i) {
    const auto* bytes = static_cast<const uint8_t*>(arguments[i]);
    launch.arguments.emplace_back(bytes, bytes + sizes->second[i]);
  }
  runtime.launches.push_back(std::move(launch));
  return cudaSuccess;
}

}  // namespace

void SetFakeDevice(const FakeDevice& device, const ParameterSizes& sizes) {
  TheRuntime().device = device;
  TheRuntime().sizes = sizes;
}

std::vector<RecordedLaunch> TakeLaunches() { return std::exchange(TheRuntime().launches, {}); }

}  // namespace sasq::kernels

namespace kernels = sasq::kernels;

extern "C" {

// What nvcc's generated code calls.
void** __cudaRegisterFatBinary(void*) {
  static void* handle = nullptr;
  return &handle;
}
void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}
void __cudaRegisterFunction(void**, const char* host, char*, const char* name, int, uint3*, uint3*,
                            dim3*, dim3*, int*) {
  kernels::TheRuntime().names[host] = name;
}
void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}
char __cudaInitModule(void**) { return 1; }
unsigned __cudaPushCallConfiguration(dim3 grid, dim3 block, size_t shared_bytes, void* stream) {
  kernels::TheRuntime().pushed = {grid, block, shared_bytes, stream};
  return 0;
}
cudaError_t __cudaPopCallConfiguration(dim3* grid, dim3* block, size_t* shared_bytes,
                                       void* stream) {
  const kernels::Configuration& pushed = kernels::TheRuntime().pushed;
  *grid = pushed.grid;
  *block = pushed.block;
  *shared_bytes = pushed.shared_bytes;
  *static_cast<void**>(stream) = pushed.stream;
  return cudaSuccess;
}
cudaError_t __cudaGetKernel(cudaKernel_t* kernel, const void* function) {
  *kernel = reinterpret_cast<cudaKernel_t>(const_cast<void*>(function));
  return cudaSuccess;
}
cudaError_t __cudaLaunchKernel(cudaKernel_t kernel, dim3 grid, dim3 block, void** arguments,
                               size_t shared_bytes, cudaStream_t stream) {
  return kernels::Record(kernel, grid, block, arguments, shared_bytes, stream);
}
cudaError_t cudaLaunchKernel(const void* function, dim3 grid, dim3 block, void** arguments,
                             size_t shared_bytes, cudaStream_t stream) {
  return kernels::Record(function, grid, block, arguments, shared_bytes, stream);
}

// The runtime's API.
cudaError_t cudaGetLastError() { return cudaSuccess; }
cudaError_t cudaPeekAtLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "cudaError"; }
const char* cudaGetErrorString(cudaError_t) { return "an error of the fake runtime"; }
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }
cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  const kernels::FakeDevice& device = kernels::TheRuntime().device;
  *properties = {};
  properties->major = device.compute_capability / 10;
  properties->minor = device.compute_capability % 10;
  properties->multiProcessorCount = device.multiprocessors;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  const kernels::FakeDevice& device = kernels::TheRuntime().device;
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = device.compute_capability / 10;
      return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
      *value = device.compute_capability % 10;
      return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
      *value = device.multiprocessors;
      return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = device.max_shared_bytes;
      return cudaSuccess;
    default:
      return cudaErrorInvalidValue;
  }
}
cudaError_t cudaFuncSetAttribute(const void* function, cudaFuncAttribute attribute, int value) {
  if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaSuccess;
  if (value > kernels::TheRuntime().device.max_shared_bytes) return cudaErrorInvalidValue;
  kernels::TheRuntime().shared_limits[function] = value;
  return cudaSuccess;
}
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int,
                                                                   size_t, unsigned) {
  *blocks = 2;
  return cudaSuccess;
}

}  // extern "C"
