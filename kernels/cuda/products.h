// Internal: the ways to compute a product on CUDA. gemm.cc checks the arguments and chooses.
#ifndef SASQ_KERNELS_CUDA_PRODUCTS_H_
#define SASQ_KERNELS_CUDA_PRODUCTS_H_

#include <cuda_runtime_api.h>

#include <cstdint>

#include "absl/status/status.h"
#include "kernels/matrix.h"

namespace sasq::kernels::cuda {

// y[m, n] = float(sum_k codes[m, k] * weights[n, k]) * (s_x[m] * w_scales[n]) + bias[n], of
// arguments that were checked: no size is 0, in_features is a multiple of 16.
struct Product {
  const int8_t* codes = nullptr;    // [rows, in_features]
  const int8_t* weights = nullptr;  // [out_features, in_features]
  float x_scale = 0;                // s_x[m] where x_scales is null
  const float* x_scales = nullptr;  // [rows]
  const float* w_scales = nullptr;  // [out_features]
  const float* bias = nullptr;      // null: not added
  Matrix y;                         // [rows, out_features]
  int64_t rows = 0;
  int64_t out_features = 0;
  int64_t in_features = 0;
};

// Few rows, which GemvKernel takes in groups of this many; beyond one group weights are read again
// for each.
inline constexpr int64_t kMaxGemvRows = 8;

// Any number of rows and channels, any alignment of y, w_scales and bias.
absl::Status LaunchGemv(const Product& product, cudaStream_t stream);

// The tiles of the tensor cores' kernels: rows x channels x codes.
enum class Tile { k32x64x128, k64x128x64, k128x128x64 };

// Instructions of sm_80, so for compute capabilities 8.0 to 12.0. 32-bit sizes; out_features and
// y.row_stride are multiples of 4, y is aligned to 4 values, w_scales and bias to 16 bytes.
absl::Status LaunchSm80(const Product& product, Tile tile, cudaStream_t stream);

// Instructions of sm_90a, for compute capability 9.0 alone. As LaunchSm80, and rows of y are
// aligned to 16 bytes.
absl::Status LaunchSm90a(const Product& product, cudaStream_t stream);

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_PRODUCTS_H_
