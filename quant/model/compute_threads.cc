#include "quant/model/compute_threads.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "common/clock.h"
#include "common/status_macros.h"
#include "quant/model/torch_guard.h"

namespace sasq {

void SetComputeThreads(int thread_count) {
  SASQ_CHECK(thread_count >= 1 && thread_count <= 256);
  // Also fixes MKL's thread count and switches its dynamic adjustment off. With that, and operands
  // at the same alignment (LibTorch's allocations are 64-byte aligned), MKL gives the same bits
  // from run to run on one kind of CPU, without the slower code paths of MKL_CBWR.
  at::set_num_threads(thread_count);
}

int ComputeThreads() { return at::get_num_threads(); }

void ComputeParallelFor(int64_t count, kernels::RangeBody body) {
  at::parallel_for(0, count, /*grain_size=*/1,
                   [&body](int64_t begin, int64_t end) { body(begin, end); });
}

double MeasureFloatFlopsPerSecond() {
  constexpr int64_t kSize = 512;
  constexpr double kSeconds = 0.1;
  double rate = 0;
  const absl::Status status = CatchTorch([&] {
    const at::Tensor a = at::full({kSize, kSize}, 0.5f);
    at::mm(a, a);  // threads and buffers start
    const Stopwatch watch;
    int64_t products = 0;
    while (watch.Seconds() < kSeconds) {
      at::mm(a, a);
      ++products;
    }
    rate = static_cast<double>(products) * 2 * kSize * kSize * kSize / watch.Seconds();
    return absl::OkStatus();
  });
  SASQ_CHECK(status.ok());
  return rate;
}

}  // namespace sasq
