// Internal, see cpu_kernels_inl.h: quantization and fake quantization.
#ifndef SASQ_KERNELS_CPU_QUANTIZE_INL_H_
#define SASQ_KERNELS_CPU_QUANTIZE_INL_H_

#include "kernels/cpu/values_inl.h"

namespace sasq::kernels {
namespace {

// Sums of the scale's gradient run in this many lanes on every path, added as a tree at the end.
constexpr int kSumLanes = 16;

// Codes with one scale, without a division for each where the path has a fused multiply-add.
//
// With r = RN(1 / s), q = RN(x r) and d = x - q s, RN(q + d r) rounds to the same code as
// RN(x / s), the quotient of QuantizedCode. Only where x / s and q + d r lie on different sides of
// a midpoint m = h +- ulp(h) / 2 beside a half-integer h, |h| <= 127.5, could codes differ.
// q is off by at most (M / M_r + 1) / 2 ulp, where M <= 255 / 128 and M_r >= 1 are the mantissas of
// x / s and r: less than 1.5. So next to m it is a neighbour of m, d is exact, and
// q + d r is off by at most |d| |r - 1 / s| <= (s ulp(q) / 2) (ulp(r) / 2). The quotient itself is
// no midpoint, but x - m s is a multiple of ulp(q) ulp(s) / 2, so x / s is at least
// ulp(q) ulp(s) / (2 s) away from m: more, because s^2 < 4 where ulp(s) = 2^-23.
// Nothing underflows or overflows for scales within [2^-90, 2^90] and x within [-128 s, 127 s].
struct Divisor {
  float scale;
  float reciprocal;
  float low, high;  // x is clamped to it before: -128 and 127 times the scale

  explicit SASQ_INLINE Divisor(float s)
      : scale(s), reciprocal(1.0f / s), low(-128.0f * s), high(127.0f * s) {}
};

template <class Isa>
SASQ_INLINE bool CanMultiply(float scale) {
  return Isa::kHasFma && scale >= 0x1p-90f && scale <= 0x1p90f;
}

// x is not clamped to the scale's range where it is a NaN.
SASQ_INLINE float ClampedQuotient(float x, const Divisor& divisor) {
  x = x > divisor.high ? divisor.high : x;
  x = x < divisor.low ? divisor.low : x;
  const float q = x * divisor.reciprocal;
  return __builtin_fmaf(__builtin_fmaf(-q, divisor.scale, x), divisor.reciprocal, q);
}

SASQ_INLINE int8_t CodeByMultiplication(float x, const Divisor& divisor) {
  float v = ClampedQuotient(x, divisor);
  v = v == v ? v : 0.0f;
  // The low bits of v + kRound hold the code.
  return static_cast<int8_t>(static_cast<uint8_t>(FloatBits(v + kRound)));
}

// codes[i] = QuantizedCode(value(i), scale); `value` is inlined into both loops.
template <class Isa, class Value>
SASQ_INLINE void QuantizeEach(int64_t count, float scale, int8_t* __restrict__ codes,
                              const Value& value) {
  if (CanMultiply<Isa>(scale)) {
    const Divisor divisor(scale);
    for (int64_t i = 0; i < count; ++i) codes[i] = CodeByMultiplication(value(i), divisor);
  } else {
    for (int64_t i = 0; i < count; ++i) codes[i] = QuantizedCode(value(i), scale);
  }
}

template <class Isa>
SASQ_INLINE void QuantizeFloats(const float* x, int64_t count, float scale, int8_t* codes) {
  QuantizeEach<Isa>(
      count, scale, codes, [x](int64_t i) __attribute__((always_inline)) { return x[i]; });
}

template <class Isa>
void Quantize(DataType type, const void* x, int64_t count, float scale, int8_t* codes,
              const void* next) {
  alignas(kLineBytes) float buffer[kPiece];
  const int64_t piece = next == nullptr ? kPiece : kPrefetchPiece;
  for (int64_t start = 0; start < count; start += piece) {
    const int64_t size = count - start < piece ? count - start : piece;
    if (next != nullptr) Prefetch(type, next, start, size);
    QuantizeFloats<Isa>(Floats<Isa>(type, x, start, size, buffer), size, scale, codes + start);
  }
}

SASQ_INLINE int32_t Magnitude(float value) {
  return static_cast<int32_t>(FloatBits(value) & kMagnitudeMask);
}

// Bit patterns order as the values do, in each of the types.
template <class Isa>
uint32_t MaxMagnitudeBits(DataType type, const void* x, int64_t count) {
  if (type == DataType::kFloat32) {
    const float* values = static_cast<const float*>(x);
    int32_t largest = 0;
    for (int64_t i = 0; i < count; ++i) {
      const int32_t magnitude = Magnitude(values[i]);
      largest = magnitude > largest ? magnitude : largest;
    }
    return static_cast<uint32_t>(largest);
  }
  const uint16_t* values = static_cast<const uint16_t*>(x);
  int16_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const int16_t magnitude = static_cast<int16_t>(values[i] & 0x7FFF);
    largest = magnitude > largest ? magnitude : largest;
  }
  const uint16_t bits = static_cast<uint16_t>(largest);
  return FloatBits(type == DataType::kFloat16 ? FloatOfHalf(bits) : FloatOfBFloat(bits));
}

template <class Isa>
SASQ_INLINE void FakeQuantizePiece(const float* x, int64_t count, float scale, float* y) {
  if (CanMultiply<Isa>(scale)) {
    const Divisor divisor(scale);
    for (int64_t i = 0; i < count; ++i) {
      float v = ClampedQuotient(x[i], divisor);
      v = v == v ? v : 0.0f;
      y[i] = scale * ((v + kRound) - kRound);
    }
  } else {
    for (int64_t i = 0; i < count; ++i) {
      y[i] = scale * static_cast<float>(QuantizedCode(x[i], scale));
    }
  }
}

template <class Isa>
void FakeQuantize(DataType type, const void* x, int64_t count, float scale, void* y) {
  alignas(kLineBytes) float buffer[kPiece];
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = PieceSize(start, count);
    const float* values = Floats<Isa>(type, x, start, size, buffer);
    if (type == DataType::kFloat32) {
      FakeQuantizePiece<Isa>(values, size, scale, static_cast<float*>(y) + start);
    } else {
      FakeQuantizePiece<Isa>(values, size, scale, buffer);
      Store<Isa>(type, buffer, size, Element(type, y, start));
    }
  }
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
  constexpr int64_t kBackwardPiece = 256;
  float grads[kBackwardPiece];
  float slopes[kBackwardPiece];
  double lanes[kSumLanes] = {};
  for (int64_t start = 0; start < count; start += kBackwardPiece) {
    const int64_t size = count - start < kBackwardPiece ? count - start : kBackwardPiece;
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

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_QUANTIZE_INL_H_
