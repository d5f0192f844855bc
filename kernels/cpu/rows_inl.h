// Internal, see cpu_kernels_inl.h: RMSNorm and SiLU-and-multiply of rows.
#ifndef SASQ_KERNELS_CPU_ROWS_INL_H_
#define SASQ_KERNELS_CPU_ROWS_INL_H_

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/quantize_inl.h"

namespace sasq::kernels {
namespace {

static_assert(kPiece == kNormLanes, "a piece of a row adds once to each lane");

// residual = residual + x for one piece.
template <class Isa>
SASQ_INLINE void AddToResidual(DataType type, const void* x, int64_t count, void* residual) {
  alignas(kLineBytes) float addends[kPiece];
  alignas(kLineBytes) float sums[kPiece];
  const float* values = Floats<Isa>(type, x, 0, count, addends);
  float* const h = type == DataType::kFloat32 ? static_cast<float*>(residual) : sums;
  if (type != DataType::kFloat32) Load<Isa>(type, residual, count, sums);
  for (int64_t i = 0; i < count; ++i) h[i] += values[i];
  if (type != DataType::kFloat32) Store<Isa>(type, sums, count, residual);
}

template <class Isa>
NormedRow NormOfRow(DataType type, const void* x, void* residual, int64_t cols, float epsilon) {
  const void* const h = residual != nullptr ? residual : x;
  alignas(kLineBytes) float lanes[kNormLanes] = {};
  for (int64_t start = 0; start < cols; start += kPiece) {
    const int64_t count = PieceSize(start, cols);
    if (residual != nullptr) {
      AddToResidual<Isa>(type, Element(type, x, start), count, Element(type, residual, start));
    }
    ForEachPiece<Isa>(type, Element(type, h, start), count,
                      [&](const auto* values, int64_t, int64_t size) {
                        for (int64_t i = 0; i < size; ++i) {
                          lanes[i] += ToFloat(values[i]) * ToFloat(values[i]);
                        }
                      });
  }
  for (int width = kNormLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  return {h, RmsFactor(lanes[0], cols, epsilon)};
}

template <class Isa>
void QuantizeNormedRow(DataType type, const NormedRow& row, const float* gain, int64_t cols,
                       float scale, int8_t* codes, const void* next_x, const void* next_residual) {
  alignas(kLineBytes) float buffer[kPrefetchPiece];
  for (int64_t start = 0; start < cols; start += kPrefetchPiece) {
    const int64_t size = cols - start < kPrefetchPiece ? cols - start : kPrefetchPiece;
    if (next_x != nullptr) Prefetch(type, next_x, start, size);
    if (next_residual != nullptr) Prefetch(type, next_residual, start, size);
    const float* h = Floats<Isa>(type, row.h, start, size, buffer);
    const float* gains = gain + start;
    const float factor = row.factor;
    QuantizeEach<Isa>(
        size, scale, codes + start, [=](int64_t i) __attribute__((always_inline)) {
          return (h[i] * factor) * gains[i];
        });
  }
}

template <class Isa>
uint32_t MaxMagnitudeBitsOfNormedRow(DataType type, const NormedRow& row, const float* gain,
                                     int64_t cols) {
  int32_t largest = 0;
  ForEachPiece<Isa>(type, row.h, cols, [&](const auto* values, int64_t start, int64_t size) {
    const float factor = row.factor;
    int32_t of_piece = largest;
    for (int64_t i = 0; i < size; ++i) {
      const int32_t magnitude = Magnitude((ToFloat(values[i]) * factor) * gain[start + i]);
      of_piece = magnitude > of_piece ? magnitude : of_piece;
    }
    largest = of_piece;
  });
  return static_cast<uint32_t>(largest);
}

// v = Silu(gate) * up of kCount vectors: numerics.h's definition, operator by operator, each for
// all vectors in turn, because a single chain of operators waits for its own results.
template <class Isa, int kCount>
SASQ_INLINE void SiluMulVectors(const float* gate, const float* up, float* v) {
  typedef typename Isa::Floats Floats;
  typedef typename Isa::Vectors Bits;
  Floats x[kCount], shifted[kCount], r[kCount], p[kCount];
#define SASQ_EACH_VECTOR _Pragma("GCC unroll 8") for (int i = 0; i < kCount; ++i)
  SASQ_EACH_VECTOR {
    memcpy(&x[i], gate + i * Isa::kLanes, sizeof(x[i]));
    x[i] = -x[i];
    x[i] = x[i] > 88.0f ? Floats{} + 88.0f : x[i];
    x[i] = x[i] < -87.0f ? Floats{} + -87.0f : x[i];
  }
  SASQ_EACH_VECTOR shifted[i] = x[i] * 1.44269504f + kRound;
  SASQ_EACH_VECTOR {
    const Floats n = shifted[i] - kRound;
    r[i] = (x[i] - n * 0.693359375f) - n * -2.12194440e-4f;
  }
  SASQ_EACH_VECTOR p[i] = r[i] * 1.9875691500e-4f + 1.3981999507e-3f;
  SASQ_EACH_VECTOR p[i] = p[i] * r[i] + 8.3334519073e-3f;
  SASQ_EACH_VECTOR p[i] = p[i] * r[i] + 4.1665795894e-2f;
  SASQ_EACH_VECTOR p[i] = p[i] * r[i] + 1.6666665459e-1f;
  SASQ_EACH_VECTOR p[i] = p[i] * r[i] + 5.0000001201e-1f;
  SASQ_EACH_VECTOR p[i] = (p[i] * (r[i] * r[i]) + r[i]) + 1.0f;
  SASQ_EACH_VECTOR {
    Bits bits;
    memcpy(&bits, &shifted[i], sizeof(bits));
    bits = (bits - (0x4B400000 - 127)) << 23;
    Floats power;
    memcpy(&power, &bits, sizeof(power));
    p[i] = p[i] * power + 1.0f;
  }
  SASQ_EACH_VECTOR {
    Floats g, u;
    memcpy(&g, gate + i * Isa::kLanes, sizeof(g));
    memcpy(&u, up + i * Isa::kLanes, sizeof(u));
    u = (g / p[i]) * u;
    memcpy(v + i * Isa::kLanes, &u, sizeof(u));
  }
#undef SASQ_EACH_VECTOR
}

// v of one piece; v holds kPiece floats, of which more than `count` may be written.
template <class Isa>
void SiluMulPiece(DataType type, const void* gate, const void* up, int64_t count, float* v) {
  constexpr int kCount = Isa::kSiluVectors;
  constexpr int64_t kStep = kCount * Isa::kLanes;
  static_assert(kPiece % kStep == 0);
  alignas(kLineBytes) float gate_buffer[kPiece];
  alignas(kLineBytes) float up_buffer[kPiece];
  const int64_t end = (count + kStep - 1) / kStep * kStep;
  const float* g = Floats<Isa>(type, gate, 0, count, gate_buffer);
  const float* u = Floats<Isa>(type, up, 0, count, up_buffer);
  if (end > count) {  // whole vectors, with zeros at the end
    if (type == DataType::kFloat32) {
      memcpy(gate_buffer, g, static_cast<size_t>(count) * sizeof(float));
      memcpy(up_buffer, u, static_cast<size_t>(count) * sizeof(float));
      g = gate_buffer;
      u = up_buffer;
    }
    for (int64_t i = count; i < end; ++i) gate_buffer[i] = up_buffer[i] = 0.0f;
  }
  for (int64_t i = 0; i < end; i += kStep) SiluMulVectors<Isa, kCount>(g + i, u + i, v + i);
}

template <class Isa>
void QuantizeSiluMul(DataType type, const void* gate, const void* up, int64_t count, float scale,
                     int8_t* codes) {
  alignas(kLineBytes) float v[kPiece];
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = PieceSize(start, count);
    SiluMulPiece<Isa>(type, Element(type, gate, start), Element(type, up, start), size, v);
    QuantizeFloats<Isa>(v, size, scale, codes + start);
  }
}

template <class Isa>
uint32_t SiluMul(DataType type, const void* gate, const void* up, int64_t count, float* v) {
  alignas(kLineBytes) float buffer[kPiece];
  uint32_t largest = 0;
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = PieceSize(start, count);
    float* const piece = size == kPiece ? v + start : buffer;
    // Behind the end of a row the next one follows, as a rule.
    Prefetch(type, gate, start + kPiece, kPiece);
    Prefetch(type, up, start + kPiece, kPiece);
    SiluMulPiece<Isa>(type, Element(type, gate, start), Element(type, up, start), size, piece);
    if (piece == buffer) memcpy(v + start, buffer, static_cast<size_t>(size) * sizeof(float));
    const uint32_t bits = MaxMagnitudeBits<Isa>(DataType::kFloat32, piece, size);
    largest = bits > largest ? bits : largest;
  }
  return largest;
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_ROWS_INL_H_
