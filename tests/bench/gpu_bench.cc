// Speed of the CUDA kernels beside the device's copy bandwidth. Prints a table; says so and ends
// where there is no device.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "common/status_macros.h"
#include "kernels/cuda_device.h"
#include "kernels/fake_quantize.h"
#include "kernels/gemm.h"
#include "kernels/hadamard.h"
#include "kernels/quantize.h"
#include "kernels/rms_norm.h"
#include "kernels/silu_mul.h"
#include "tests/kernels/cuda/device_memory.h"
#include "tests/kernels/cuda/storage_values.h"

namespace sasq::kernels {
namespace {

constexpr DataType kType = DataType::kBFloat16;
constexpr int kRuns = 30;

// The median of kRuns times of `launch` on the default stream, in seconds.
double MedianSeconds(absl::FunctionRef<absl::Status()> launch) {
  cudaEvent_t begin, end;
  SASQ_CHECK(cudaEventCreate(&begin) == cudaSuccess && cudaEventCreate(&end) == cudaSuccess);
  std::vector<float> milliseconds(kRuns);
  for (int warm_up = 0; warm_up < 3; ++warm_up) SASQ_CHECK(launch().ok());
  for (float& time : milliseconds) {
    SASQ_CHECK(cudaEventRecord(begin) == cudaSuccess);
    SASQ_CHECK(launch().ok());
    SASQ_CHECK(cudaEventRecord(end) == cudaSuccess);
    SASQ_CHECK(cudaEventSynchronize(end) == cudaSuccess);
    SASQ_CHECK(cudaEventElapsedTime(&time, begin, end) == cudaSuccess);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  std::nth_element(milliseconds.begin(), milliseconds.begin() + kRuns / 2, milliseconds.end());
  return 1e-3 * static_cast<double>(milliseconds[kRuns / 2]);
}

// Prints one operation that reads and writes `bytes` in all, each byte once.
void PrintBandwidth(const char* name, double bytes, absl::FunctionRef<absl::Status()> launch) {
  const double seconds = MedianSeconds(launch);
  std::printf("%-32s %10.1f us %8.0f GB/s\n", name, 1e6 * seconds, 1e-9 * bytes / seconds);
}

void BenchmarkRows(const CudaContext& gpu) {
  constexpr int64_t kRows = 4096;
  constexpr int64_t kCols = 8192;
  constexpr double kElements = static_cast<double>(kRows * kCols);
  const DeviceMemory x_memory(RandomValues(kType, kRows * kCols, 4.0f, 1));
  const DeviceMemory y_memory(static_cast<size_t>(kRows * kCols * 2));
  const DeviceMemory gain(RandomValues(kType, kCols, 1.0f, 2));
  const DeviceMemory codes(static_cast<size_t>(kRows * kCols));
  const DeviceMemory scales(static_cast<size_t>(kRows) * sizeof(float));
  const DeviceMemory sum(sizeof(double));
  const DeviceMemory workspace(static_cast<size_t>(FakeQuantizeWorkspaceBytes(kRows, kCols)));
  const Matrix x = {x_memory.As<void>(), kType, kRows, kCols, kCols};
  const Matrix y = {y_memory.As<void>(), kType, kRows, kCols, kCols};
  auto* const c = codes.As<int8_t>();
  auto* const s = scales.As<float>();
  const RmsNormInput norm = {x, gain.As<void>(), 1e-5f, {}};
  RmsNormInput residual_norm = norm;
  residual_norm.residual = y;

  std::printf("[%d, %d] bfloat16\n", static_cast<int>(kRows), static_cast<int>(kCols));
  PrintBandwidth("copy", 4 * kElements, [&] {
    const size_t bytes = static_cast<size_t>(kRows * kCols * 2);
    return cudaMemcpyAsync(y.data, x.data, bytes, cudaMemcpyDeviceToDevice) == cudaSuccess
               ? absl::OkStatus()
               : absl::InternalError("cudaMemcpyAsync");
  });
  PrintBandwidth("quantize, static", 3 * kElements,
                 [&] { return QuantizeStatic(gpu, x, 0.03f, c); });
  PrintBandwidth("quantize, per token", 3 * kElements,
                 [&] { return QuantizePerToken(gpu, x, c, s); });
  PrintBandwidth("RMSNorm, static", 3 * kElements,
                 [&] { return RmsNormQuantizeStatic(gpu, norm, 0.03f, c); });
  PrintBandwidth("RMSNorm, per token", 3 * kElements,
                 [&] { return RmsNormQuantizePerToken(gpu, norm, c, s); });
  PrintBandwidth("SiLU-and-multiply, static", 5 * kElements,
                 [&] { return SiluMulQuantizeStatic(gpu, x, y, 0.03f, c); });
  PrintBandwidth("SiLU-and-multiply, per token", 5 * kElements,
                 [&] { return SiluMulQuantizePerToken(gpu, x, y, c, s); });
  PrintBandwidth("fake quantize", 4 * kElements, [&] { return FakeQuantize(gpu, x, 0.03f, y); });
  PrintBandwidth("fake quantize, backward", 6 * kElements, [&] {
    return FakeQuantizeBackward(gpu, x, y, 0.03f, y, sum.As<double>(), workspace.As<void>());
  });
  PrintBandwidth("Hadamard, blocks of 8192", 4 * kElements,
                 [&] { return HadamardTransform(gpu, x, 8192, y); });
  PrintBandwidth("residual + RMSNorm, static", 7 * kElements,
                 [&] { return RmsNormQuantizeStatic(gpu, residual_norm, 0.03f, c); });
}

void BenchmarkProduct(const CudaContext& gpu, int64_t m, int64_t k, int64_t n) {
  const DeviceMemory codes(RandomCodes(m * k, 1));
  const DeviceMemory weights(RandomCodes(n * k, 2));
  const DeviceMemory scales(RandomValues(DataType::kFloat32, std::max(m, n), 1e-3f, 3));
  const DeviceMemory y(static_cast<size_t>(m * n * 2));
  const double seconds = MedianSeconds([&] {
    return Gemm(gpu, codes.As<int8_t>(), {0.03f, nullptr},
                {n, k, weights.As<int8_t>(), scales.As<float>()}, nullptr,
                {y.As<void>(), kType, m, n, n});
  });
  const double bytes = static_cast<double>(m * k + n * k + 2 * m * n);
  std::printf("product %6d x %6d x %6d %12.1f us %8.0f GB/s %8.1f TOPS\n", static_cast<int>(m),
              static_cast<int>(k), static_cast<int>(n), 1e6 * seconds, 1e-9 * bytes / seconds,
              2e-12 * static_cast<double>(m * n) * static_cast<double>(k) / seconds);
}

int Main() {
  const absl::StatusOr<CudaDevice> device = FindCudaDevice();
  if (!device.ok()) {
    std::printf("skipped: %s\n", std::string(device.status().message()).c_str());
    return 0;
  }
  std::printf("%s, compute capability %d.%d, %d multiprocessors, %.0f GB\n", device->name.c_str(),
              device->compute_capability / 10, device->compute_capability % 10,
              device->multiprocessors, 1e-9 * static_cast<double>(device->memory_bytes));
  const CudaContext gpu = {device->ordinal, nullptr};
  SASQ_CHECK(cudaSetDevice(device->ordinal) == cudaSuccess);
  BenchmarkRows(gpu);
  for (int64_t m : {1, 4, 8, 16, 32, 64, 128, 512, 2048, 8192}) {
    BenchmarkProduct(gpu, m, 4096, 4096);
  }
  BenchmarkProduct(gpu, 2048, 576, 1536);
  BenchmarkProduct(gpu, 2048, 1536, 576);
  BenchmarkProduct(gpu, 2048, 4096, 11008);
  BenchmarkProduct(gpu, 2048, 11008, 4096);
  const absl::Status done = SynchronizeCuda(gpu.device, gpu.stream);
  if (!done.ok()) std::printf("%s\n", std::string(done.message()).c_str());
  return done.ok() ? 0 : 1;
}

}  // namespace
}  // namespace sasq::kernels

int main() { return sasq::kernels::Main(); }
