// Internal: the scalar definitions that every device compiles, so that all of them give the same
// integers. Compiled without contraction of a * b + c into one rounding (-ffp-contract=off,
// --fmad=false) and without fast math: each operator below rounds once, half to even. Only C
// headers are included and everything has internal linkage (see cpu/cpu_kernels_inl.h).
#ifndef SASQ_KERNELS_NUMERICS_H_
#define SASQ_KERNELS_NUMERICS_H_

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#define SASQ_NUMERICS __host__ __device__ __forceinline__
#else
#define SASQ_NUMERICS inline __attribute__((always_inline))
#endif

namespace sasq::kernels {
namespace {

// RmsNorm sums squares in this many lanes: element i of a row belongs to lane i % kNormLanes.
constexpr int kNormLanes = 1024;

// (v + kRound) - kRound rounds |v| < 2^22 to an integer, half to even.
constexpr float kRound = 12582912.0f;  // 1.5 * 2^23

SASQ_NUMERICS uint32_t FloatBits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return bits;
}

SASQ_NUMERICS float FloatOfBits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof(value));
  return value;
}

// clamp(round_half_even(x / scale), -128, 127), 0 for NaN. A division, not a product with 1 /
// scale.
SASQ_NUMERICS int8_t QuantizedCode(float x, float scale) {
  float v = x / scale;
  v = v > 127.0f ? 127.0f : v;
  v = v < -128.0f ? -128.0f : v;
  v = v == v ? v : 0.0f;
  return static_cast<int8_t>(static_cast<int32_t>((v + kRound) - kRound));
}

// The scale of a row (per token) or channel whose largest magnitude is `magnitude`, finite: that
// over 127. Where the quotient would be zero or denormal, and so imprecise, 1: the row counts as
// zeros.
SASQ_NUMERICS float RowScale(float magnitude) {
  const float scale = magnitude / 127.0f;
  return scale < 1.17549435e-38f ? 1.0f : scale;
}

// RowScale of the largest bit pattern of a row's magnitudes; NaN if there is a NaN or an infinity.
SASQ_NUMERICS float RowScaleOfBits(uint32_t magnitude_bits) {
  return magnitude_bits < 0x7F800000u ? RowScale(FloatOfBits(magnitude_bits))
                                      : FloatOfBits(0x7FC00000u);
}

// The value that a code stands for.
SASQ_NUMERICS float FakeQuantized(float x, float scale) {
  return scale * static_cast<float>(QuantizedCode(x, scale));
}

// The slopes of FakeQuantized where x / scale is v: whether x's is 1, and the scale's.
SASQ_NUMERICS bool InsideCodes(float v) { return v > -128.0f && v < 127.0f; }
SASQ_NUMERICS float ScaleSlope(float v) {
  float slope = ((v + kRound) - kRound) - v;
  slope = v >= 127.0f ? 127.0f : slope;
  slope = v <= -128.0f ? -128.0f : slope;
  return v == v ? slope : 0.0f;
}

// The epilogue of a product, without its bias.
SASQ_NUMERICS float DequantizedSum(int32_t sum, float x_scale, float w_scale) {
  return static_cast<float>(sum) * (x_scale * w_scale);
}

// What normalizes a Walsh-Hadamard transform of `block` values.
SASQ_NUMERICS float HadamardFactor(int64_t block) {
  return 1.0f / sqrtf(static_cast<float>(block));
}

// e^x by Cody and Waite's reduction and the polynomial of Cephes' expf, within 2 ulp; x is limited
// to [-87, 88]. NaN gives NaN.
SASQ_NUMERICS float Exp(float x) {
  x = x > 88.0f ? 88.0f : x;
  x = x < -87.0f ? -87.0f : x;
  const float shifted = x * 1.44269504f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = (p * (r * r) + r) + 1.0f;
  // The low bits of `shifted` hold n; NaN makes a meaningless factor, and NaN stays NaN.
  return p * FloatOfBits((FloatBits(shifted) - 0x4B400000u + 127u) << 23);
}

// x * sigmoid(x).
SASQ_NUMERICS float Silu(float x) { return x / (1.0f + Exp(-x)); }

// 1 / sqrt(mean of squares + epsilon) of a row of `cols` values.
SASQ_NUMERICS float RmsFactor(float sum_of_squares, int64_t cols, float epsilon) {
  return 1.0f / sqrtf(sum_of_squares / static_cast<float>(cols) + epsilon);
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_NUMERICS_H_
