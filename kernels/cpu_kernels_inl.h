// Internal: the source of the inner loops, compiled once by every cpu_*.cc with that file's
// instruction set. Everything here has internal linkage, and only C headers are included: an inline
// function of the standard library compiled with wider instructions must not reach the linker.
//
// Each cpu_*.cc defines `Isa`, the few operations in which the paths differ, and instantiates
// `MakeKernels<Isa>()`:
//   Vec             kLanes int32 sums, one per column; Operand: what MultiplyAdd multiplies
//   kVectors        vectors of one panel; kRows: rows of the largest tile
//   kGroupCodes     codes of one group; kCodeOffset: what prepared codes carry
//   Prepared        element type of prepared codes
//   Load, Store     kLanes sums
//   Broadcast       the 4 prepared bytes of one group, to every lane
//   LoadWeights     kLanes * kGroupCodes codes of a panel
//   MultiplyAdd     sums + dot product of each lane's group
#ifndef SASQ_KERNELS_CPU_KERNELS_INL_H_
#define SASQ_KERNELS_CPU_KERNELS_INL_H_

#include <stdint.h>
#include <string.h>

#include "kernels/cpu_kernels.h"

namespace sasq::kernels {
namespace {

#define SASQ_INLINE inline __attribute__((always_inline))

// (v + kRound) - kRound rounds |v| < 2^22 to an integer, half to even, in the default mode.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23
constexpr uint32_t kMagnitudeMask = 0x7FFFFFFFu;
// Sums of the scale's gradient run in this many lanes on every path, added as a tree at the end.
constexpr int kSumLanes = 16;

constexpr int64_t kLineFloats = 16;  // of a cache line

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
void Dequantize(const int32_t* sums, int64_t rows, int64_t columns, const float* x_scales,
                int64_t x_scale_stride, const float* w_scales, const float* bias, float* y,
                int64_t y_stride) {
  constexpr int64_t kPanelColumns = Isa::kVectors * Isa::kLanes;
  for (int64_t r = 0; r < rows; ++r) {
    const float x_scale = x_scales[r * x_scale_stride];
    if (columns == kPanelColumns) {  // a constant count lets the compiler unroll it all
      DequantizeRow(sums, kPanelColumns, x_scale, w_scales, bias, y);
    } else {
      DequantizeRow(sums, columns, x_scale, w_scales, bias, y);
    }
    sums += kPanelColumns;
    y += y_stride;
  }
}

void Quantize(const float* x, int64_t count, float scale, int8_t* codes) {
  for (int64_t i = 0; i < count; ++i) {
    float v = x[i] / scale;
    v = v > 127.0f ? 127.0f : v;
    v = v < -128.0f ? -128.0f : v;
    v = v == v ? v : 0.0f;
    codes[i] = static_cast<int8_t>(static_cast<int32_t>((v + kRound) - kRound));
  }
}

uint32_t MaxMagnitudeBits(const float* x, int64_t count) {
  int32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, x + i, sizeof(bits));
    const int32_t magnitude = static_cast<int32_t>(bits & kMagnitudeMask);
    largest = magnitude > largest ? magnitude : largest;
  }
  return static_cast<uint32_t>(largest);
}

// Slopes: d x_hat / d s of each element; grad_x: grad inside the range, 0 outside.
SASQ_INLINE void BackwardElements(const float* x, const float* grad, int64_t count, float scale,
                                  float* slopes, float* grad_x) {
  for (int64_t i = 0; i < count; ++i) {
    const float v = x[i] / scale;
    const bool above = v >= 127.0f;
    const bool below = v <= -128.0f;
    float slope = ((v + kRound) - kRound) - v;
    slope = above ? 127.0f : slope;
    slope = below ? -128.0f : slope;
    slope = v == v ? slope : 0.0f;
    slopes[i] = slope;
    grad_x[i] = ((v > -128.0f) & (v < 127.0f)) ? grad[i] : 0.0f;
  }
}

double FakeQuantizeBackwardBlock(const float* x, const float* grad, int64_t count, float scale,
                                 float* grad_x) {
  // Small pieces through the stack: `grad_x` may be `grad`, and each loop stays a plain one.
  constexpr int64_t kPiece = 256;
  float grads[kPiece];
  float slopes[kPiece];
  double lanes[kSumLanes] = {};
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = count - start < kPiece ? count - start : kPiece;
    // Whole-line stores to lines outside the caches are slow on some CPUs: ask for the lines first.
    for (int64_t i = 0; i < size; i += kLineFloats) __builtin_prefetch(grad_x + start + i, 1);
    memcpy(grads, grad + start, static_cast<size_t>(size) * sizeof(float));
    BackwardElements(x + start, grads, size, scale, slopes, grad_x + start);
    for (int64_t i = size; i % kSumLanes != 0; ++i) grads[i] = slopes[i] = 0.0f;
    for (int64_t i = 0; i < size; i += kSumLanes) {
      for (int lane = 0; lane < kSumLanes; ++lane) {
        lanes[lane] += static_cast<double>(grads[i + lane]) * static_cast<double>(slopes[i + lane]);
      }
    }
  }
  for (int width = kSumLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return lanes[0];
}

template <class Isa>
constexpr CpuKernels MakeKernels() {
  static_assert(Isa::kRows <= kMaxTileRows && Isa::kVectors * Isa::kLanes <= kMaxPanelColumns);
  return {
      .group_codes = Isa::kGroupCodes,
      .tile_rows = Isa::kRows,
      .panel_columns = Isa::kVectors * Isa::kLanes,
      .code_offset = Isa::kCodeOffset,
      .prepare = Prepare<Isa>,
      .tile = Tile<Isa>,
      .dequantize = Dequantize<Isa>,
      .quantize = Quantize,
      .max_magnitude_bits = MaxMagnitudeBits,
      .fake_quantize_backward = FakeQuantizeBackwardBlock,
  };
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_KERNELS_INL_H_
