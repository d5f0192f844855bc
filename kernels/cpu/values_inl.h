// Internal, see cpu_kernels_inl.h: values of a DataType to floats and back, in pieces that stay in
// the first cache.
#ifndef SASQ_KERNELS_CPU_VALUES_INL_H_
#define SASQ_KERNELS_CPU_VALUES_INL_H_

#include <stdint.h>
#include <string.h>

#include "kernels/matrix.h"
#include "kernels/numerics.h"

namespace sasq::kernels {
namespace {

#define SASQ_INLINE inline __attribute__((always_inline))

constexpr int64_t kPiece = 1024;
// While a piece of so many elements is computed from the caches, as many are fetched.
constexpr int64_t kPrefetchPiece = 256;
// The base of arrays that vectors are loaded from whole.
constexpr int64_t kLineBytes = 64;
constexpr int64_t kLineFloats = kLineBytes / 4;

constexpr uint32_t kMagnitudeMask = 0x7FFFFFFFu;

SASQ_INLINE float FloatOfHalf(uint16_t half) {
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFF) << 13;
  const uint32_t normal = magnitude + (112u << 23);
  // Without a use of denormals, which the caller may have switched off: m * 2^-24 as
  // (2^-14 + m * 2^-24) - 2^-14.
  const uint32_t denormal =
      FloatBits(FloatOfBits(magnitude + (113u << 23)) - FloatOfBits(113u << 23));
  const uint32_t special = (magnitude + (224u << 23)) | (magnitude > (31u << 23) ? 1u << 22 : 0u);
  uint32_t bits = magnitude < (1u << 23) ? denormal : normal;
  bits = magnitude >= (31u << 23) ? special : bits;
  return FloatOfBits(bits | static_cast<uint32_t>(half & 0x8000) << 16);
}

SASQ_INLINE uint16_t HalfOfFloat(float value) {
  const uint32_t bits = FloatBits(value);
  const uint32_t magnitude = bits & kMagnitudeMask;
  const uint32_t normal = (magnitude - (112u << 23) + 0xFFFu + ((magnitude >> 13) & 1u)) >> 13;
  // The sum's last place is that of the smallest half, 2^-24.
  const uint32_t denormal = FloatBits(FloatOfBits(magnitude) + 0.5f) - FloatBits(0.5f);
  const uint32_t nan = 0x7E00u | ((magnitude >> 13) & 0x3FFu);
  uint32_t half = magnitude < (113u << 23) ? denormal : normal;
  half = magnitude >= (143u << 23) ? 0x7C00u : half;
  half = magnitude > (255u << 23) ? nan : half;
  return static_cast<uint16_t>(half | (bits >> 16 & 0x8000u));
}

SASQ_INLINE float FloatOfBFloat(uint16_t value) {
  return FloatOfBits(static_cast<uint32_t>(value) << 16);
}

SASQ_INLINE uint16_t BFloatOfFloat(float value) {
  const uint32_t bits = FloatBits(value);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & kMagnitudeMask) > (255u << 23) ? nan : rounded);
}

// A bfloat16 in memory. Loops that end in floats convert it on the way.
struct BFloat {
  uint16_t bits;
};
SASQ_INLINE float ToFloat(float value) { return value; }
SASQ_INLINE float ToFloat(BFloat value) { return FloatOfBFloat(value.bits); }

// Halves through the path's own instructions, the rest one by one.
template <class Isa>
void LoadHalves(const uint16_t* __restrict__ halves, int64_t count, float* __restrict__ values) {
  int64_t i = 0;
  if constexpr (Isa::kHalfLanes > 0) {
    for (; i + Isa::kHalfLanes <= count; i += Isa::kHalfLanes) {
      Isa::FloatsOfHalves(halves + i, values + i);
    }
  }
  for (; i < count; ++i) values[i] = FloatOfHalf(halves[i]);
}

template <class Isa>
void StoreHalves(const float* __restrict__ values, int64_t count, uint16_t* __restrict__ halves) {
  int64_t i = 0;
  if constexpr (Isa::kHalfLanes > 0) {
    for (; i + Isa::kHalfLanes <= count; i += Isa::kHalfLanes) {
      Isa::HalvesOfFloats(values + i, halves + i);
    }
  }
  for (; i < count; ++i) halves[i] = HalfOfFloat(values[i]);
}

void LoadBFloats(const uint16_t* __restrict__ x, int64_t count, float* __restrict__ values) {
  for (int64_t i = 0; i < count; ++i) values[i] = FloatOfBFloat(x[i]);
}

void StoreBFloats(const float* __restrict__ values, int64_t count, uint16_t* __restrict__ y) {
  for (int64_t i = 0; i < count; ++i) y[i] = BFloatOfFloat(values[i]);
}

template <class Isa>
void Load(DataType type, const void* x, int64_t count, float* values) {
  switch (type) {
    case DataType::kFloat32:
      memcpy(values, x, static_cast<size_t>(count) * sizeof(float));
      break;
    case DataType::kFloat16:
      LoadHalves<Isa>(static_cast<const uint16_t*>(x), count, values);
      break;
    case DataType::kBFloat16:
      LoadBFloats(static_cast<const uint16_t*>(x), count, values);
      break;
  }
}

template <class Isa>
void Store(DataType type, const float* values, int64_t count, void* y) {
  switch (type) {
    case DataType::kFloat32:
      memcpy(y, values, static_cast<size_t>(count) * sizeof(float));
      break;
    case DataType::kFloat16:
      StoreHalves<Isa>(values, count, static_cast<uint16_t*>(y));
      break;
    case DataType::kBFloat16:
      StoreBFloats(values, count, static_cast<uint16_t*>(y));
      break;
  }
}

SASQ_INLINE const void* Element(DataType type, const void* x, int64_t index) {
  return static_cast<const char*>(x) + index * (type == DataType::kFloat32 ? 4 : 2);
}
SASQ_INLINE void* Element(DataType type, void* x, int64_t index) {
  return static_cast<char*>(x) + index * (type == DataType::kFloat32 ? 4 : 2);
}

// Asks for lines that are needed soon.
SASQ_INLINE void Prefetch(DataType type, const void* x, int64_t start, int64_t count) {
  const char* first = static_cast<const char*>(Element(type, x, start));
  const char* last = static_cast<const char*>(Element(type, x, start + count));
  for (; first < last; first += kLineBytes) __builtin_prefetch(first);
}

// Elements [start, start + count) of x as floats: in place if they are, else through `buffer`.
template <class Isa>
SASQ_INLINE const float* Floats(DataType type, const void* x, int64_t start, int64_t count,
                                float* buffer) {
  const void* first = Element(type, x, start);
  if (type == DataType::kFloat32) return static_cast<const float*>(first);
  Load<Isa>(type, first, count, buffer);
  return buffer;
}

// Runs body(values, start, size) on pieces of x: floats, or BFloats as they are.
template <class Isa, class Body>
SASQ_INLINE void ForEachPiece(DataType type, const void* x, int64_t count, const Body& body) {
  if (type == DataType::kFloat32) {
    body(static_cast<const float*>(x), 0, count);
    return;
  }
  if (type == DataType::kBFloat16) {
    body(static_cast<const BFloat*>(x), 0, count);
    return;
  }
  alignas(kLineBytes) float buffer[kPiece];
  for (int64_t start = 0; start < count; start += kPiece) {
    const int64_t size = count - start < kPiece ? count - start : kPiece;
    Load<Isa>(type, Element(type, x, start), size, buffer);
    body(static_cast<const float*>(buffer), start, size);
  }
}

SASQ_INLINE int64_t PieceSize(int64_t start, int64_t count) {
  return count - start < kPiece ? count - start : kPiece;
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_VALUES_INL_H_
