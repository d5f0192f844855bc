// Takes the place of the product's block_reduce.cuh, which is CUB's: the same results in the same
// order, through barriers.
#ifndef SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_
#define SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_

#include <stdint.h>

#include "kernels/cuda/device.cuh"

namespace sasq::kernels::cuda {

template <int threads>
uint32_t BlockMax(uint32_t value) {
  __shared__ uint32_t values[threads];
  values[ThreadIndex()] = value;
  SyncBlock();
  uint32_t largest = 0;
  for (uint32_t other : values) largest = other > largest ? other : largest;
  return largest;
}

template <int threads>
double BlockSum(double value) {
  __shared__ double warps[threads / kWarpThreads];
  const int lane = ThreadIndex() % kWarpThreads;
  for (int distance = 1; distance < kWarpThreads; distance *= 2) {
    const double next = ShuffleXor(value, distance);
    if ((lane & distance) == 0) value += next;
  }
  if (lane == 0) warps[ThreadIndex() / kWarpThreads] = value;
  SyncBlock();
  double sum = warps[0];
  for (int warp = 1; warp < threads / kWarpThreads; ++warp) sum += warps[warp];
  return sum;
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_
