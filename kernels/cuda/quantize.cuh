// Kernels that quantize the rows of a source: a matrix here, something computed elsewhere
// (silu_mul.cuh).
#ifndef SASQ_KERNELS_CUDA_QUANTIZE_CUH_
#define SASQ_KERNELS_CUDA_QUANTIZE_CUH_

#include <stdint.h>

#include "kernels/cuda/block_reduce.cuh"
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

// A source has an Element, rows, cols and Load: the values of a step of a row, zeros beyond cols.
template <class T>
struct MatrixSource {
  using Element = T;
  const T* data;
  int64_t row_stride;
  int64_t rows;
  int64_t cols;

  template <bool kVector>
  __device__ __forceinline__ void Load(int64_t row, int64_t c, float (&values)[kStep<T>]) const {
    LoadStep<kVector>(data + row * row_stride, c, cols, values);
  }
};

// The largest bit pattern of the magnitudes. Patterns order as the values do, NaN above infinity.
template <int count>
__device__ __forceinline__ uint32_t MaxMagnitude(uint32_t largest, const float (&values)[count]) {
#pragma unroll
  for (int j = 0; j < count; ++j) {
    const uint32_t magnitude = FloatBits(values[j]) & 0x7FFFFFFFu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest;
}

// Writes the codes of a step.
template <bool kVector, int count>
__device__ __forceinline__ void StoreCodes(const float (&values)[count], float scale,
                                           int8_t* codes_row, int64_t c, int64_t cols) {
  int8_t codes[count];
#pragma unroll
  for (int j = 0; j < count; ++j) codes[j] = QuantizedCode(values[j], scale);
  StoreStep<kVector>(codes_row, c, cols, codes);
}

// Grid: columns in blocks of kThreads steps, rows; any size of it covers the matrix.
template <class Source, bool kVector>
__global__ void __launch_bounds__(kThreads)
    QuantizeStaticKernel(Source source, float scale, int8_t* codes) {
  constexpr int kElements = kStep<typename Source::Element>;
  const int64_t first = (BlockX() * kThreads + ThreadIndex()) * kElements;
  for (int64_t row = BlockY(); row < source.rows; row += GridY()) {
#pragma unroll 1
    for (int64_t c = first; c < source.cols; c += GridX() * kThreads * kElements) {
      float values[kElements];
      source.template Load<kVector>(row, c, values);
      StoreCodes<kVector>(values, scale, codes + row * source.cols, c, source.cols);
    }
  }
}

// Grid: one block for each row.
template <class Source, bool kVector>
__global__ void __launch_bounds__(kThreads)
    QuantizePerTokenKernel(Source source, int8_t* codes, float* scales) {
  constexpr int kElements = kStep<typename Source::Element>;
  const int64_t row = BlockX();
  uint32_t largest = 0;
#pragma unroll 1
  for (int64_t c = ThreadIndex() * kElements; c < source.cols; c += kThreads * kElements) {
    float values[kElements];
    source.template Load<kVector>(row, c, values);
    largest = MaxMagnitude(largest, values);
  }
  const float scale = RowScaleOfBits(BlockMax<kThreads>(largest));
  if (ThreadIndex() == 0) scales[row] = scale;
#pragma unroll 1
  for (int64_t c = ThreadIndex() * kElements; c < source.cols; c += kThreads * kElements) {
    float values[kElements];
    source.template Load<kVector>(row, c, values);
    StoreCodes<kVector>(values, scale, codes + row * source.cols, c, source.cols);
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_QUANTIZE_CUH_
