#include "quant/model/compute_threads.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <malloc.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/status_macros.h"
#include "quant/model/model_parts.h"
#include "quant/model/torch_guard.h"

namespace sasq {

void SetComputeThreads(int thread_count) {
  SASQ_CHECK(thread_count >= 1 && thread_count <= 256);
  // Also fixes MKL's thread count and switches its dynamic adjustment off. With that, and operands
  // at the same alignment (LibTorch's allocations are 64-byte aligned), MKL gives the same bits
  // from run to run on one kind of CPU, without the slower code paths of MKL_CBWR.
  at::set_num_threads(thread_count);
}

void KeepFreedMemory() {
  // glibc's largest threshold for blocks of their own; larger ones come from the system each time.
  constexpr int kMmapThresholdBytes = 32 << 20;
  constexpr int kKeptBytes = 1 << 30;
  SASQ_CHECK(mallopt(M_MMAP_THRESHOLD, kMmapThresholdBytes) == 1);
  SASQ_CHECK(mallopt(M_TRIM_THRESHOLD, kKeptBytes) == 1);
}

int ComputeThreads() { return at::get_num_threads(); }

bool LibTorchHasCuda() { return at::globalContext().hasCUDA(); }

void UseDeterministicCuda() {
  // cuBLAS' own condition: https://docs.nvidia.com/cuda/cublas/#results-reproducibility
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/1);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/true);
  // The backward passes of the fused attentions add by atomics.
  context.setSDPUseFlash(false);
  context.setSDPUseMemEfficient(false);
  context.setSDPUseCuDNN(false);
}

absl::StatusOr<double> MeasureFloatFlopsPerSecond(ComputeDevice device) {
  constexpr double kSeconds = 0.1;
  const int64_t size = device.is_cuda ? 4096 : 512;  // a few milliseconds each
  return CatchTorchOr([&]() -> absl::StatusOr<double> {
    const at::Tensor a = at::full({size, size}, 0.5f, at::device(TorchDevice(device)));
    at::mm(a, a)[0][0].item<float>();  // threads and buffers start
    const Stopwatch watch;
    int64_t products = 0;
    while (watch.Seconds() < kSeconds) {
      at::mm(a, a)[0][0].item<float>();  // waits for the device
      ++products;
    }
    const double flops =
        2 * static_cast<double>(size) * static_cast<double>(size) * static_cast<double>(size);
    return static_cast<double>(products) * flops / watch.Seconds();
  });
}

}  // namespace sasq
