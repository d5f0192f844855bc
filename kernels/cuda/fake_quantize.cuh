// Fake quantization and its gradient. The scale's gradient is summed in two passes of a fixed
// order: blocks leave partial sums, one block adds them.
#ifndef SASQ_KERNELS_CUDA_FAKE_QUANTIZE_CUH_
#define SASQ_KERNELS_CUDA_FAKE_QUANTIZE_CUH_

#include <stdint.h>

#include "kernels/cuda/block_reduce.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

template <class T>
struct FakeQuantizeRows {
  const T* x;
  int64_t x_stride;
  T* y;  // may be x
  int64_t y_stride;
  int64_t rows;
  int64_t cols;
};

// Grid: columns in blocks of kThreads steps, rows; any size of it covers the matrix.
template <class T, bool kVector>
__global__ void __launch_bounds__(kThreads)
    FakeQuantizeKernel(FakeQuantizeRows<T> in, float scale) {
  const int64_t first = (BlockX() * kThreads + ThreadIndex()) * kStep<T>;
  for (int64_t row = BlockY(); row < in.rows; row += GridY()) {
#pragma unroll 1
    for (int64_t c = first; c < in.cols; c += GridX() * kThreads * kStep<T>) {
      float x[kStep<T>];
      T y[kStep<T>];
      LoadStep<kVector>(in.x + row * in.x_stride, c, in.cols, x);
#pragma unroll
      for (int j = 0; j < kStep<T>; ++j) y[j] = FromFloat<T>(FakeQuantized(x[j], scale));
      StoreStep<kVector>(in.y + row * in.y_stride, c, in.cols, y);
    }
  }
}

template <class T>
struct BackwardRows {
  const T* x;
  int64_t x_stride;
  const T* grad;
  int64_t grad_stride;
  T* grad_x;  // may be grad
  int64_t grad_x_stride;
  int64_t rows;
  int64_t cols;
};

// Rows are cut into chunks of kThreads steps, numbered row by row. Block b takes chunks b, b +
// grid, b + 2 grid ..., thread t the step t of each, element by element; then BlockSum. So the
// order depends on the shape, the type and the grid, which the launcher derives from the shape and
// the type: never on the device.
template <class T>
inline constexpr int64_t kChunkColumns = kThreads* kStep<T>;

// The most blocks of the first pass, so the most partial sums.
inline constexpr int64_t kMaxPartialSums = 1024;

// Writes grad_x of a step and returns its part of the sum.
template <class T, bool kVector>
__device__ __forceinline__ double BackwardStep(const BackwardRows<T>& in, int64_t row, int64_t c,
                                               float scale) {
  float x[kStep<T>];
  float grad[kStep<T>];
  T grad_x[kStep<T>];
  LoadStep<kVector>(in.x + row * in.x_stride, c, in.cols, x);
  LoadStep<kVector>(in.grad + row * in.grad_stride, c, in.cols, grad);
  double sum = 0;
#pragma unroll
  for (int j = 0; j < kStep<T>; ++j) {
    const float v = x[j] / scale;
    grad_x[j] = FromFloat<T>(InsideCodes(v) ? grad[j] : 0.0f);
    sum += static_cast<double>(grad[j]) * static_cast<double>(ScaleSlope(v));
  }
  StoreStep<kVector>(in.grad_x + row * in.grad_x_stride, c, in.cols, grad_x);
  return sum;
}

// Grid: at most kMaxPartialSums blocks, one partial sum of each.
template <class T, bool kVector>
__global__ void __launch_bounds__(kThreads)
    FakeQuantizeBackwardKernel(BackwardRows<T> in, float scale, double* partial_sums) {
  const int64_t row_chunks = (in.cols - 1) / kChunkColumns<T> + 1;
  double sum = 0;
#pragma unroll 1
  for (int64_t chunk = BlockX(); chunk < in.rows * row_chunks; chunk += GridX()) {
    const int64_t row = chunk / row_chunks;
    const int64_t c = chunk % row_chunks * kChunkColumns<T> + ThreadIndex() * kStep<T>;
    if (c < in.cols) sum += BackwardStep<T, kVector>(in, row, c, scale);
  }
  sum = BlockSum<kThreads>(sum);
  if (ThreadIndex() == 0) partial_sums[BlockX()] = sum;
}

// Grid: one block. Thread t adds partial sums t, t + kThreads ...; then BlockSum.
static __global__ void __launch_bounds__(kThreads)
    SumKernel(const double* partial_sums, int count, double* total) {
  double sum = 0;
#pragma unroll 1
  for (int i = ThreadIndex(); i < count; i += kThreads) sum += partial_sums[i];
  sum = BlockSum<kThreads>(sum);
  if (ThreadIndex() == 0) *total = sum;
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_FAKE_QUANTIZE_CUH_
