// How kernels read and write rows: in steps of 16 bytes of storage, as float32. A step is one
// vector access where everything is aligned (kVector), else an access for each element. Loops over
// steps are not unrolled: within 32 registers all threads of a multiprocessor run, which hides more
// latency.
#ifndef SASQ_KERNELS_CUDA_ROWS_CUH_
#define SASQ_KERNELS_CUDA_ROWS_CUH_

#include <stdint.h>

#include "kernels/cuda/device.cuh"

namespace sasq::kernels::cuda {

// Elements of a step.
template <class T>
inline constexpr int kStep = 16 / static_cast<int>(sizeof(T));

// Threads of a block of kernels that have no reason for another number.
inline constexpr int kThreads = 256;

// values[j] = row[c + j], zero from column `cols` on.
template <bool kVector, class T>
__device__ __forceinline__ void LoadStep(const T* row, int64_t c, int64_t cols,
                                         float (&values)[kStep<T>]) {
  if constexpr (kVector) {
    T raw[kStep<T>];
    LoadWhole(row + c, raw);
#pragma unroll
    for (int j = 0; j < kStep<T>; ++j) values[j] = ToFloat(raw[j]);
  } else {
#pragma unroll
    for (int j = 0; j < kStep<T>; ++j) values[j] = c + j < cols ? ToFloat(row[c + j]) : 0.0f;
  }
}

// row[c + j] = values[j] below column `cols`. T is a storage type, or int8_t for codes.
template <bool kVector, class T, int count>
__device__ __forceinline__ void StoreStep(T* row, int64_t c, int64_t cols,
                                          const T (&values)[count]) {
  if constexpr (kVector) {
    StoreWhole(row + c, values);
  } else {
#pragma unroll
    for (int j = 0; j < count; ++j) {
      if (c + j < cols) row[c + j] = values[j];
    }
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_ROWS_CUH_
