// SiLU-and-multiply as a source of the kernels of quantize.cuh.
#ifndef SASQ_KERNELS_CUDA_SILU_MUL_CUH_
#define SASQ_KERNELS_CUDA_SILU_MUL_CUH_

#include <stdint.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

template <class T>
struct SiluMulSource {
  using Element = T;
  const T* gate;
  int64_t gate_stride;
  const T* up;
  int64_t up_stride;
  int64_t rows;
  int64_t cols;

  template <bool kVector>
  __device__ __forceinline__ void Load(int64_t row, int64_t c, float (&values)[kStep<T>]) const {
    float up_values[kStep<T>];
    LoadStep<kVector>(gate + row * gate_stride, c, cols, values);
    LoadStep<kVector>(up + row * up_stride, c, cols, up_values);
#pragma unroll
    for (int j = 0; j < kStep<T>; ++j) values[j] = Silu(values[j]) * up_values[j];
  }
};

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_SILU_MUL_CUH_
