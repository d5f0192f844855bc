// Reductions over the threads of a block by CUB. A host build puts another file in its place, as it
// does with device.cuh.
#ifndef SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_
#define SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_

#include <stdint.h>

#include <cub/block/block_reduce.cuh>
#include <cuda/functional>

namespace sasq::kernels::cuda {

// The largest value, for every thread. Called by all of them; the order does not matter. Call it
// once in a kernel: its shared memory is free again only after another barrier.
template <int threads>
__device__ __forceinline__ uint32_t BlockMax(uint32_t value) {
  using Reduce = cub::BlockReduce<uint32_t, threads, cub::BLOCK_REDUCE_WARP_REDUCTIONS>;
  __shared__ typename Reduce::TempStorage storage;
  __shared__ uint32_t largest;
  const uint32_t result = Reduce(storage).Reduce(value, ::cuda::maximum<uint32_t>{});
  if (threadIdx.x == 0) largest = result;
  __syncthreads();
  return largest;
}

// The sum, for thread 0. Called by all threads, once in a kernel. The order is fixed: within each
// warp lane l adds lane l + 1, 2, 4 ... 16, then thread 0 adds the warps in ascending order.
template <int threads>
__device__ __forceinline__ double BlockSum(double value) {
  using Reduce = cub::BlockReduce<double, threads, cub::BLOCK_REDUCE_WARP_REDUCTIONS>;
  __shared__ typename Reduce::TempStorage storage;
  return Reduce(storage).Sum(value);
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_BLOCK_REDUCE_CUH_
