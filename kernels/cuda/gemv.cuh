// Products of a few rows: bound by reading the weights, which each warp streams in whole lines, two
// output channels at a time, against all rows of a group.
#ifndef SASQ_KERNELS_CUDA_GEMV_CUH_
#define SASQ_KERNELS_CUDA_GEMV_CUH_

#include <stdint.h>

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/numerics.h"

namespace sasq::kernels::cuda {

inline constexpr int kGemvChannels = 2;  // of a warp
inline constexpr int kGemvBlockChannels = kThreads / kWarpThreads * kGemvChannels;

// Steps of K whose loads are on their way at a time.
template <int rows>
inline constexpr int kGemvUnroll = rows <= 2 ? 4 / rows : 1;

// Blocks that a multiprocessor holds, so 80 or 128 registers for each thread: what the sums and
// pointers of so many rows take without spilling.
template <int rows>
inline constexpr int kGemvBlocks = rows <= 4 ? 3 : 2;

template <class T>
struct GemvInput {
  const int8_t* codes;    // [rows, in_features], aligned to 16 bytes
  const int8_t* weights;  // [out_features, in_features], aligned to 16 bytes
  float x_scale;
  const float* x_scales;  // [rows], or null: x_scale for all
  const float* w_scales;  // [out_features]
  const float* bias;      // [out_features], or null
  T* y;
  int64_t y_stride;
  int64_t rows;
  int64_t out_features;
  int64_t in_features;  // a multiple of 16
};

// 16 codes.
using Codes = uint32_t[4];

__device__ __forceinline__ void LoadCodes(const int8_t* data, Codes& codes) {
  LoadWhole(reinterpret_cast<const uint32_t*>(data), codes);
}

// Adds the products of this lane's share of K to sums. Rows and channels beyond the last are the
// last one again: nobody asks for their sums.
template <class T, int kRows>
__device__ __forceinline__ void AddProducts(const GemvInput<T>& in, int64_t first_row,
                                            int64_t first_channel,
                                            int32_t (&sums)[kRows][kGemvChannels]) {
  constexpr int kLaneCodes = 16;
  const int8_t* code_rows[kRows];
  const int8_t* weight_rows[kGemvChannels];
#pragma unroll
  for (int r = 0; r < kRows; ++r) {
    const int64_t row = first_row + r < in.rows ? first_row + r : in.rows - 1;
    code_rows[r] = in.codes + row * in.in_features;
  }
#pragma unroll
  for (int n = 0; n < kGemvChannels; ++n) {
    const int64_t channel =
        first_channel + n < in.out_features ? first_channel + n : in.out_features - 1;
    weight_rows[n] = in.weights + channel * in.in_features;
  }
#pragma unroll kGemvUnroll < kRows>
  for (int64_t k = ThreadIndex() % kWarpThreads * kLaneCodes; k < in.in_features;
       k += kWarpThreads * kLaneCodes) {
    Codes weights[kGemvChannels];
#pragma unroll
    for (int n = 0; n < kGemvChannels; ++n) LoadCodes(weight_rows[n] + k, weights[n]);
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      Codes codes;
      LoadCodes(code_rows[r] + k, codes);
#pragma unroll
      for (int n = 0; n < kGemvChannels; ++n) {
#pragma unroll
        for (int i = 0; i < 4; ++i) sums[r][n] = DotBytes(codes[i], weights[n][i], sums[r][n]);
      }
    }
  }
}

// Grid: channels in blocks of kGemvBlockChannels, rows in groups of kRows; any size of it covers y.
template <class T, int kRows>
__global__ void __launch_bounds__(kThreads, kGemvBlocks<kRows>) GemvKernel(GemvInput<T> in) {
  const int lane = ThreadIndex() % kWarpThreads;
  const int64_t warp = BlockX() * (kThreads / kWarpThreads) + ThreadIndex() / kWarpThreads;
  const int64_t channel_step = GridX() * kGemvBlockChannels;
  for (int64_t first_row = BlockY() * kRows; first_row < in.rows; first_row += GridY() * kRows) {
#pragma unroll 1
    for (int64_t first_channel = warp * kGemvChannels; first_channel < in.out_features;
         first_channel += channel_step) {
      int32_t sums[kRows][kGemvChannels] = {};
      AddProducts<T, kRows>(in, first_row, first_channel, sums);
      // Lane r * kGemvChannels + n finishes element (r, n).
      int32_t sum = 0;
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
#pragma unroll
        for (int n = 0; n < kGemvChannels; ++n) {
#pragma unroll
          for (int mask = kWarpThreads / 2; mask > 0; mask /= 2) {
            sums[r][n] += ShuffleXor(sums[r][n], mask);
          }
          sum = lane == r * kGemvChannels + n ? sums[r][n] : sum;
        }
      }
      const int64_t row = first_row + lane / kGemvChannels;
      const int64_t channel = first_channel + lane % kGemvChannels;
      if (lane < kRows * kGemvChannels && row < in.rows && channel < in.out_features) {
        const float x_scale = in.x_scales == nullptr ? in.x_scale : in.x_scales[row];
        float value = DequantizedSum(sum, x_scale, in.w_scales[channel]);
        if (in.bias != nullptr) value = value + in.bias[channel];
        in.y[row * in.y_stride + channel] = FromFloat<T>(value);
      }
    }
  }
}

}  // namespace sasq::kernels::cuda

#endif  // SASQ_KERNELS_CUDA_GEMV_CUH_
