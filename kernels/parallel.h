// How kernels use threads: they have none of their own, the caller's are used.
#ifndef SASQ_KERNELS_PARALLEL_H_
#define SASQ_KERNELS_PARALLEL_H_

#include <cstdint>

#include "absl/functional/function_ref.h"

namespace sasq::kernels {

// Work on the half-open range [begin, end).
using RangeBody = absl::FunctionRef<void(int64_t begin, int64_t end)>;

// Splits [0, count) into ranges, runs `body` on each, on any threads, and returns when all are
// done. Results never depend on the split.
using ParallelFor = absl::FunctionRef<void(int64_t count, RangeBody body)>;

// How many blocks of `block` elements cover `count`.
inline int64_t BlockCount(int64_t count, int64_t block) { return (count + block - 1) / block; }

// Runs everything on the calling thread.
inline void SerialFor(int64_t count, RangeBody body) {
  if (count > 0) body(0, count);
}

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_PARALLEL_H_
