// Internal, see cpu_kernels_inl.h: the INT8 product and its epilogue.
#ifndef SASQ_KERNELS_CPU_GEMM_INL_H_
#define SASQ_KERNELS_CPU_GEMM_INL_H_

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/values_inl.h"

namespace sasq::kernels {
namespace {

template <class Isa>
void Prepare(const int8_t* codes, int64_t count, uint8_t* prepared) {
  typedef typename Isa::Prepared Prepared;
  for (int64_t i = 0; i < count; ++i) {
    const Prepared value = static_cast<Prepared>(codes[i] + Isa::kCodeOffset);
    memcpy(prepared + i * static_cast<int64_t>(sizeof(Prepared)), &value, sizeof(Prepared));
  }
  const int64_t end = (count + Isa::kGroupCodes - 1) / Isa::kGroupCodes * Isa::kGroupCodes;
  memset(prepared + count * static_cast<int64_t>(sizeof(Prepared)), 0,
         static_cast<size_t>(end - count) * sizeof(Prepared));
}

// One tile with its sums in registers. Few rows leave the multipliers waiting for their own
// results, so groups are then spread over several sets of sums.
template <class Isa, int kRows>
void TileOfRows(const uint8_t* prepared, int64_t row_bytes, const int8_t* panel, int64_t groups,
                const int32_t* sums_in, int64_t sums_in_stride, int32_t* sums_out) {
  typedef typename Isa::Vec Vec;
  constexpr int kSets = kRows == 1 ? 4 : kRows == 2 ? 2 : 1;
  constexpr int kPanelColumns = Isa::kVectors * Isa::kLanes;
  constexpr int kGroupBytes = kPanelColumns * Isa::kGroupCodes;
  // Every third row has a pointer, the others are reached from it: x86 addresses hold base + stride
  // and base + 2 * stride.
  constexpr int kBases = (kRows + 2) / 3;

  Vec sums[kSets][kRows][Isa::kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Isa::kVectors; ++v) {
      sums[0][r][v] = Isa::Load(sums_in + r * sums_in_stride + v * Isa::kLanes);
#pragma GCC unroll 4
      for (int s = 1; s < kSets; ++s) sums[s][r][v] = Isa::Zero();
    }
  }
  const uint8_t* base[kBases];
#pragma GCC unroll 16
  for (int b = 0; b < kBases; ++b) base[b] = prepared + 3 * b * row_bytes;

  const auto add_group = [&](int set, int64_t group) __attribute__((always_inline)) {
    typename Isa::Operand weights[Isa::kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < Isa::kVectors; ++v) {
      weights[v] =
          Isa::LoadWeights(panel + group * kGroupBytes + v * Isa::kLanes * Isa::kGroupCodes);
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const typename Isa::Operand codes =
          Isa::Broadcast(base[r / 3] + (r % 3) * row_bytes + group * 4);
#pragma GCC unroll 4
      for (int v = 0; v < Isa::kVectors; ++v) {
        sums[set][r][v] = Isa::MultiplyAdd(sums[set][r][v], codes, weights[v]);
      }
    }
  };
  int64_t group = 0;
  for (; group + kSets <= groups; group += kSets) {
#pragma GCC unroll 4
    for (int s = 0; s < kSets; ++s) add_group(s, s);
    panel += kSets * kGroupBytes;
#pragma GCC unroll 16
    for (int b = 0; b < kBases; ++b) base[b] += kSets * 4;
  }
  for (int64_t rest = 0; group < groups; ++group, ++rest) add_group(0, rest);

#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Isa::kVectors; ++v) {
      Vec sum = sums[0][r][v];
#pragma GCC unroll 4
      for (int s = 1; s < kSets; ++s) sum = Isa::Add(sum, sums[s][r][v]);
      Isa::Store(sums_out + r * kPanelColumns + v * Isa::kLanes, sum);
    }
  }
}

template <class Isa, int kRows = Isa::kRows>
void Tile(int64_t rows, const uint8_t* prepared, int64_t row_bytes, const int8_t* panel,
          int64_t groups, const int32_t* sums_in, int64_t sums_in_stride, int32_t* sums_out) {
  if constexpr (kRows > 1) {
    if (rows < kRows) {
      return Tile<Isa, kRows - 1>(rows, prepared, row_bytes, panel, groups, sums_in, sums_in_stride,
                                  sums_out);
    }
  }
  TileOfRows<Isa, kRows>(prepared, row_bytes, panel, groups, sums_in, sums_in_stride, sums_out);
}

SASQ_INLINE void DequantizeRow(const int32_t* sums, int64_t columns, float x_scale,
                               const float* w_scales, const float* bias, float* __restrict__ y) {
  if (bias == nullptr) {
    for (int64_t c = 0; c < columns; ++c) {
      y[c] = static_cast<float>(sums[c]) * (x_scale * w_scales[c]);
    }
    return;
  }
  for (int64_t c = 0; c < columns; ++c) {
    y[c] = static_cast<float>(sums[c]) * (x_scale * w_scales[c]) + bias[c];
  }
}

template <class Isa>
void Dequantize(const Epilogue& e) {
  constexpr int64_t kPanelColumns = Isa::kVectors * Isa::kLanes;
  alignas(kLineBytes) float row[kPanelColumns];
  for (int64_t r = 0; r < e.rows; ++r) {
    const int32_t* sums = e.sums + r * kPanelColumns;
    const float x_scale = e.x_scales[r * e.x_scale_stride];
    void* const y = Element(e.type, e.y, r * e.y_stride);
    float* const values = e.type == DataType::kFloat32 ? static_cast<float*>(y) : row;
    if (e.columns == kPanelColumns) {  // a constant count lets the compiler unroll it all
      DequantizeRow(sums, kPanelColumns, x_scale, e.w_scales, e.bias, values);
    } else {
      DequantizeRow(sums, e.columns, x_scale, e.w_scales, e.bias, values);
    }
    if (e.type != DataType::kFloat32) Store<Isa>(e.type, row, e.columns, y);
  }
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_GEMM_INL_H_
