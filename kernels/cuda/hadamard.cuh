// Walsh-Hadamard transform. A thread holds eight consecutive values, so that the stages of distance
// 1 to 4 are its own, those of 8 to 128 shuffles, and those beyond go through shared memory.
#ifndef SASQ_KERNELS_CUDA_HADAMARD_CUH_
#define SASQ_KERNELS_CUDA_HADAMARD_CUH_

#include <stdint.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/rows.cuh"

namespace sasq::kernels::cuda {

inline constexpr int kHadamardValues = 8;
inline constexpr int kMaxHadamardThreads = 1024;

template <class T>
struct HadamardRows {
  const T* x;
  int64_t x_stride;
  T* y;  // may be x
  int64_t y_stride;
  int64_t rows;
  int64_t cols;
  int block;     // values that are transformed together
  float factor;  // HadamardFactor(block)
};

// values[j] of this thread and others[j] of the one whose number differs by `mask` are a pair: the
// lower thread's becomes the sum, the upper one's the difference.
__device__ __forceinline__ float PairResult(float value, float other, int mask) {
  return (ThreadIndex() & mask) == 0 ? value + other : other - value;
}

__device__ __forceinline__ void OwnStages(int block, float (&values)[kHadamardValues]) {
#pragma unroll
  for (int distance = 1; distance < kHadamardValues; distance *= 2) {
    if (distance < block) {
#pragma unroll
      for (int j = 0; j < kHadamardValues; ++j) {
        if ((j & distance) == 0) {
          const float a = values[j];
          const float b = values[j + distance];
          values[j] = a + b;
          values[j + distance] = a - b;
        }
      }
    }
  }
}

__device__ __forceinline__ void WarpStages(int block, float (&values)[kHadamardValues]) {
#pragma unroll
  for (int mask = 1; mask < kWarpThreads; mask *= 2) {
    if (mask * kHadamardValues < block) {
#pragma unroll
      for (int j = 0; j < kHadamardValues; ++j) {
        values[j] = PairResult(values[j], ShuffleXor(values[j], mask), mask);
      }
    }
  }
}

// `shared` holds kHadamardValues floats for each thread of the block, all threads' first values,
// then their second ones and so on: no two lanes of a warp meet in a bank.
__device__ __forceinline__ void BlockStages(int block, float* shared,
                                            float (&values)[kHadamardValues]) {
#pragma unroll 1
  for (int mask = kWarpThreads; mask * kHadamardValues < block; mask *= 2) {
#pragma unroll
    for (int j = 0; j < kHadamardValues; ++j) {
      shared[j * ThreadCount() + ThreadIndex()] = values[j];
    }
    SyncBlock();
#pragma unroll
    for (int j = 0; j < kHadamardValues; ++j) {
      const float other = shared[j * ThreadCount() + (ThreadIndex() ^ mask)];
      values[j] = PairResult(values[j], other, mask);
    }
    SyncBlock();
  }
}

// Grid: columns in blocks of kHadamardValues for each thread, rows; any size of it covers the
// matrix. The columns of a block of threads are a multiple of in.block.
template <class T, bool kVector>
__global__ void __launch_bounds__(kMaxHadamardThreads) HadamardKernel(HadamardRows<T> in) {
  const int64_t block_columns = static_cast<int64_t>(ThreadCount()) * kHadamardValues;
  for (int64_t row = BlockY(); row < in.rows; row += GridY()) {
#pragma unroll 1
    for (int64_t first = BlockX() * block_columns; first < in.cols;
         first += GridX() * block_columns) {
      const int64_t c = first + ThreadIndex() * kHadamardValues;
      float values[kHadamardValues] = {};
#pragma unroll
      for (int j = 0; j < kHadamardValues; j += kStep<T>) {
        float step[kStep<T>];
        if (c + j >= in.cols) break;
        LoadStep<kVector>(in.x + row * in.x_stride, c + j, in.cols, step);
#pragma unroll
        for (int i = 0; i < kStep<T>; ++i) values[j + i] = step[i];
      }
      OwnStages(in.block, values);
      WarpStages(in.block, values);
      BlockStages(in.block, DynamicShared(), values);
#pragma unroll
      for (int j = 0; j < kHadamardValues; j += kStep<T>) {
        T step[kStep<T>];
        if (c + j >= in.cols) break;
#pragma unroll
        for (int i = 0; i < kStep<T>; ++i) step[i] = FromFloat<T>(values[j + i] * in.factor);
        StoreStep<kVector>(in.y + row * in.y_stride, c + j, in.cols, step);
      }
    }
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_HADAMARD_CUH_
