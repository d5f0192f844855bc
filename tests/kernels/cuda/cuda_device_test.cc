// How a device is found and errors are told, with CUDA's runtime replaced by the functions below.
#include "kernels/cuda_device.h"

#include <cuda_runtime_api.h>

#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace {

struct FakeDevice {
  const char* name;
  int major;
  int minor;
};

// What the runtime answers; each test sets it.
struct FakeRuntime {
  cudaError_t count_error = cudaSuccess;
  cudaError_t synchronize_error = cudaSuccess;
  std::vector<FakeDevice> devices;
  int current = 0;
};

FakeRuntime runtime;

}  // namespace

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(runtime.devices.size());
  return runtime.count_error;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  const FakeDevice& fake = runtime.devices[static_cast<size_t>(device)];
  std::memset(properties, 0, sizeof(*properties));
  std::strncpy(properties->name, fake.name, sizeof(properties->name) - 1);
  properties->major = fake.major;
  properties->minor = fake.minor;
  properties->totalGlobalMem = size_t{1} << 36;
  properties->multiProcessorCount = 108;
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = runtime.current;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device >= static_cast<int>(runtime.devices.size())) return cudaErrorInvalidDevice;
  runtime.current = device;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t) { return runtime.synchronize_error; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaErrorIllegalAddress ? "cudaErrorIllegalAddress" : "another error";
}
const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorInsufficientDriver ? "the driver is too old" : "some text";
}

}  // extern "C"

namespace sasq::kernels {
namespace {

using testing::HasSubstr;

class CudaDeviceTest : public testing::Test {
 protected:
  CudaDeviceTest() { runtime = FakeRuntime(); }

  static void ExpectNotFound(const char* part) {
    const absl::Status status = FindCudaDevice().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
};

TEST_F(CudaDeviceTest, NoDeviceAndAnOldDriverAreNotFound) {
  runtime.count_error = cudaErrorNoDevice;
  ExpectNotFound("no CUDA device: some text");
  runtime.count_error = cudaErrorInsufficientDriver;
  ExpectNotFound("no CUDA device: the driver is too old");
  runtime.count_error = cudaSuccess;
  ExpectNotFound("no CUDA device of compute capability 8.0 or newer");
}

TEST_F(CudaDeviceTest, OtherErrorsAreTold) {
  runtime.count_error = cudaErrorIllegalAddress;
  const absl::Status status = FindCudaDevice().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cudaErrorIllegalAddress"));
}

TEST_F(CudaDeviceTest, FindsTheFirstDeviceThatIsNewEnough) {
  runtime.devices = {{"Old", 7, 5}};
  ExpectNotFound("8.0 or newer: Old of compute capability 7.5");
  runtime.devices.push_back({"New", 12, 0});
  runtime.devices.push_back({"Another", 9, 0});
  const absl::StatusOr<CudaDevice> device = FindCudaDevice();
  ASSERT_TRUE(device.ok()) << device.status();
  EXPECT_EQ(device->name, "New");
  EXPECT_EQ(device->ordinal, 1);
  EXPECT_EQ(device->compute_capability, 120);
  EXPECT_EQ(device->multiprocessors, 108);
  EXPECT_EQ(device->memory_bytes, int64_t{1} << 36);
}

TEST_F(CudaDeviceTest, SynchronizationNamesTheErrorAndRestoresTheDevice) {
  runtime.devices = {{"A", 8, 0}, {"B", 8, 0}};
  EXPECT_TRUE(SynchronizeCuda(1, nullptr).ok());
  EXPECT_EQ(runtime.current, 0);
  runtime.synchronize_error = cudaErrorIllegalAddress;
  const absl::Status status = SynchronizeCuda(1, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("SynchronizeCuda: cudaErrorIllegalAddress: some text"));
  EXPECT_EQ(runtime.current, 0);
}

TEST_F(CudaDeviceTest, NoSuchDevice) {
  runtime.devices = {{"A", 8, 0}};
  const absl::Status status = SynchronizeCuda(5, nullptr);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("context.device is 5"));
}

}  // namespace
}  // namespace sasq::kernels
