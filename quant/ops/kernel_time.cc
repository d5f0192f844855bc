#include "quant/ops/kernel_time.h"

#include <array>
#include <atomic>
#include <cstdint>

#include "quant/ops/timed_operator.h"

namespace sasq::ops {
namespace {

// In the order of TimedKernel.
constexpr std::array<absl::string_view, 8> kNames = {
    "quantize",      "rms_norm_quantize",      "silu_mul_quantize",  "int8_linear",
    "fake_quantize", "fake_quantize_backward", "hadamard_transform", "pack_weights"};

std::array<std::atomic<int64_t>, kNames.size()> nanoseconds_by_kernel{};

}  // namespace

void AddKernelTime(TimedKernel kernel, std::chrono::nanoseconds time) {
  nanoseconds_by_kernel[static_cast<size_t>(kernel)].fetch_add(time.count(),
                                                               std::memory_order_relaxed);
}

std::vector<std::pair<absl::string_view, double>> KernelSeconds() {
  std::vector<std::pair<absl::string_view, double>> seconds;
  for (size_t i = 0; i < kNames.size(); ++i) {
    const int64_t nanoseconds = nanoseconds_by_kernel[i].load(std::memory_order_relaxed);
    seconds.emplace_back(kNames[i], static_cast<double>(nanoseconds) / 1e9);
  }
  return seconds;
}

}  // namespace sasq::ops
