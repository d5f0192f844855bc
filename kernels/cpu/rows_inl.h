// Internal, see cpu_kernels_inl.h: RMSNorm and SiLU-and-multiply of rows.
#ifndef SASQ_KERNELS_CPU_ROWS_INL_H_
#define SASQ_KERNELS_CPU_ROWS_INL_H_

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/quantize_inl.h"

namespace sasq::kernels {
namespace {

static_assert(kPiece == kNormLanes, "a piece of a row adds once to each lane");

// residual = h = residual + x for one piece; returns h as floats, where they lie or in `h`.
template <class Isa>
SASQ_INLINE const float* AddToResidual(DataType type, const float* x, int64_t count, void* residual,
                                       float* h) {
  if (type == DataType::kFloat32) {
    float* const sums = static_cast<float*>(residual);
    for (int64_t i = 0; i < count; ++i) sums[i] += x[i];
    return sums;
  }
  alignas(kLineBytes) float addends[kPiece];
  Load<Isa>(type, residual, count, addends);
  for (int64_t i = 0; i < count; ++i) addends[i] += x[i];
  Store<Isa>(type, addends, count, residual);
  Load<Isa>(type, residual, count, h);  // rounded
  return h;
}

template <class Isa>
NormedRow NormOfRow(DataType type, const void* x, void* residual, int64_t cols, float epsilon,
                    float* row) {
  alignas(kLineBytes) float lanes[kNormLanes] = {};
  for (int64_t start = 0; start < cols; start += kPiece) {
    const int64_t size = PieceSize(start, cols);
    const float* h = Floats<Isa>(type, x, start, size, row + start);
    if (residual != nullptr) {
      h = AddToResidual<Isa>(type, h, size, Element(type, residual, start), row + start);
    }
    for (int64_t i = 0; i < size; ++i) lanes[i] += h[i] * h[i];
  }
  for (int width = kNormLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  const void* const floats = residual != nullptr ? residual : x;
  return {type == DataType::kFloat32 ? static_cast<const float*>(floats) : row,
          RmsFactor(lanes[0], cols, epsilon)};
}

template <class Isa>
void QuantizeNormedRow(const float* h, float factor, const float* gain, int64_t cols, float scale,
                       int8_t* codes) {
  QuantizeEach<Isa>(
      cols, scale,
      codes, [=](int64_t i) __attribute__((always_inline)) { return (h[i] * factor) * gain[i]; });
}

uint32_t MaxMagnitudeBitsOfNormedRow(const float* h, float factor, const float* gain,
                                     int64_t cols) {
  int32_t largest = 0;
  for (int64_t i = 0; i < cols; ++i) {
    const int32_t magnitude = Magnitude((h[i] * factor) * gain[i]);
    largest = magnitude > largest ? magnitude : largest;
  }
  return static_cast<uint32_t>(largest);
}

template <class Isa>
void QuantizeSiluMul(DataType type, const void* gate, const void* up, int64_t count, float scale,
                     int8_t* codes) {
  alignas(kLineBytes) float gate_buffer[kPiece];
  alignas(kLineBytes) float up_buffer[kPiece];
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = PieceSize(start, count);
    const float* g = Floats<Isa>(type, gate, start, size, gate_buffer);
    const float* u = Floats<Isa>(type, up, start, size, up_buffer);
    QuantizeEach<Isa>(
        size, scale,
        codes + start, [=](int64_t i) __attribute__((always_inline)) { return Silu(g[i]) * u[i]; });
  }
}

template <class Isa>
uint32_t SiluMul(DataType type, const void* gate, const void* up, int64_t count,
                 float* __restrict__ v) {
  alignas(kLineBytes) float gate_buffer[kPiece];
  alignas(kLineBytes) float up_buffer[kPiece];
  int32_t largest = 0;
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = PieceSize(start, count);
    const float* g = Floats<Isa>(type, gate, start, size, gate_buffer);
    const float* u = Floats<Isa>(type, up, start, size, up_buffer);
    for (int64_t i = 0; i < size; ++i) {
      const float value = Silu(g[i]) * u[i];
      const int32_t magnitude = Magnitude(value);
      largest = magnitude > largest ? magnitude : largest;
      v[start + i] = value;
    }
  }
  return static_cast<uint32_t>(largest);
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_ROWS_INL_H_
