#include "quant/ops/parallel_for.h"

#include <ATen/Parallel.h>

namespace sasq::ops {

void TorchParallelFor(int64_t count, kernels::RangeBody body) {
  at::parallel_for(0, count, /*grain_size=*/1,
                   [&body](int64_t begin, int64_t end) { body(begin, end); });
}

}  // namespace sasq::ops
