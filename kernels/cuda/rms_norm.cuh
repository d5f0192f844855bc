// RMSNorm with an optional residual, fused with quantization: one block for each row, which owns
// all lanes of its sum of squares.
#ifndef SASQ_KERNELS_CUDA_RMS_NORM_CUH_
#define SASQ_KERNELS_CUDA_RMS_NORM_CUH_

#include <stdint.h>

#include "kernels/cuda/block_reduce.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/quantize.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

template <class T>
struct RmsNormRows {
  const T* x;
  int64_t x_stride;
  T* residual;  // null, or what becomes h
  int64_t residual_stride;
  const T* gain;
  int64_t rows;
  int64_t cols;
  float epsilon;
};

// Thread t owns lanes t * kStep ... t * kStep + kStep - 1: a step of every kNormLanes columns.
template <class T>
inline constexpr int kNormThreads = kNormLanes / kStep<T>;

// Halves the lanes, thread t's at index t * kStep<T> on, until one is left: the sum, for every
// thread. Distances of whole warps go through shared memory, then shuffles, then the thread's own.
template <class T>
__device__ __forceinline__ float SumOfLanes(float (&lanes)[kStep<T>]) {
  __shared__ float upper[kStep<T>][kNormThreads<T> / 2];
  __shared__ float sum;
  const int thread = ThreadIndex();
#pragma unroll
  for (int width = kNormThreads<T> / 2; width >= kWarpThreads; width /= 2) {
    if (thread >= width && thread < 2 * width) {
#pragma unroll
      for (int j = 0; j < kStep<T>; ++j) upper[j][thread - width] = lanes[j];
    }
    SyncBlock();
    if (thread < width) {
#pragma unroll
      for (int j = 0; j < kStep<T>; ++j) lanes[j] += upper[j][thread];
    }
    SyncBlock();
  }
  if (thread < kWarpThreads) {
#pragma unroll
    for (int width = kWarpThreads / 2; width > 0; width /= 2) {
#pragma unroll
      for (int j = 0; j < kStep<T>; ++j) lanes[j] += ShuffleXor(lanes[j], width);
    }
#pragma unroll
    for (int width = kStep<T> / 2; width > 0; width /= 2) {
#pragma unroll
      for (int j = 0; j < width; ++j) lanes[j] += lanes[j + width];
    }
    if (thread == 0) sum = lanes[0];
  }
  SyncBlock();
  return sum;
}

// Writes h over the residual and returns the sum of its squares.
template <class T, bool kVector>
__device__ __forceinline__ float SumOfSquares(const RmsNormRows<T>& input, const T* x_row,
                                              T* residual_row) {
  float lanes[kStep<T>] = {};
#pragma unroll 1
  for (int64_t c = ThreadIndex() * kStep<T>; c < input.cols; c += kNormLanes) {
    float h[kStep<T>];
    LoadStep<kVector>(x_row, c, input.cols, h);
    if (residual_row != nullptr) {
      float old[kStep<T>];
      T stored[kStep<T>];
      LoadStep<kVector>(residual_row, c, input.cols, old);
#pragma unroll
      for (int j = 0; j < kStep<T>; ++j) {
        stored[j] = FromFloat<T>(old[j] + h[j]);
        h[j] = ToFloat(stored[j]);
      }
      StoreStep<kVector>(residual_row, c, input.cols, stored);
    }
    // Beyond `cols` h is 0, which leaves a lane as it is.
#pragma unroll
    for (int j = 0; j < kStep<T>; ++j) lanes[j] += h[j] * h[j];
  }
  return SumOfLanes<T>(lanes);
}

// values[j] = (h * factor) * gain of a step.
template <class T, bool kVector>
__device__ __forceinline__ void Normalized(const RmsNormRows<T>& input, const T* h_row, int64_t c,
                                           float factor, float (&values)[kStep<T>]) {
  float gain[kStep<T>];
  LoadStep<kVector>(h_row, c, input.cols, values);
  LoadStep<kVector>(input.gain, c, input.cols, gain);
#pragma unroll
  for (int j = 0; j < kStep<T>; ++j) values[j] = (values[j] * factor) * gain[j];
}

// Grid: one block for each row. With kPerToken, scales[row] is written, else `scale` is used.
template <class T, bool kVector, bool kPerToken>
__global__ void __launch_bounds__(kNormThreads<T>)
    RmsNormQuantizeKernel(RmsNormRows<T> input, float scale, int8_t* codes, float* scales) {
  const int64_t row = BlockX();
  const T* x_row = input.x + row * input.x_stride;
  T* residual_row =
      input.residual == nullptr ? nullptr : input.residual + row * input.residual_stride;
  const T* h_row = residual_row == nullptr ? x_row : residual_row;
  const float sum = SumOfSquares<T, kVector>(input, x_row, residual_row);
  const float factor = RmsFactor(sum, input.cols, input.epsilon);
  float values[kStep<T>];
  if constexpr (kPerToken) {
    uint32_t largest = 0;
#pragma unroll 1
    for (int64_t c = ThreadIndex() * kStep<T>; c < input.cols; c += kNormLanes) {
      Normalized<T, kVector>(input, h_row, c, factor, values);
      largest = MaxMagnitude(largest, values);
    }
    scale = RowScaleOfBits(BlockMax<kNormThreads<T>>(largest));
    if (ThreadIndex() == 0) scales[row] = scale;
  }
#pragma unroll 1
  for (int64_t c = ThreadIndex() * kStep<T>; c < input.cols; c += kNormLanes) {
    Normalized<T, kVector>(input, h_row, c, factor, values);
    StoreCodes<kVector>(values, scale, codes + row * input.cols, c, input.cols);
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_RMS_NORM_CUH_
