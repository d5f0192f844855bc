// Internal, see cpu_kernels_inl.h: what the two AVX-512 paths share.
#ifndef SASQ_KERNELS_CPU_AVX512_INL_H_
#define SASQ_KERNELS_CPU_AVX512_INL_H_

#include <immintrin.h>

#include "kernels/cpu/cpu_kernels_inl.h"

namespace sasq::kernels {
namespace {

struct Avx512 {
  typedef __m512i Vec;
  typedef __m512i Operand;
  static constexpr int kLanes = 16;
  static constexpr int kVectors = 2;
  static constexpr int kRows = 12;

  typedef float Floats __attribute__((vector_size(64)));
  typedef int32_t Vectors __attribute__((vector_size(64)));
  typedef LaneIndices<0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15> Lanes;
  static constexpr bool kHasFma = true;
  static constexpr int kHalfLanes = 16;
  static constexpr int kHadamardVectors = 16;
  static constexpr int kSiluVectors = 8;

  static SASQ_INLINE Vec Zero() { return _mm512_setzero_si512(); }
  static SASQ_INLINE Vec Load(const int32_t* sums) { return _mm512_loadu_si512(sums); }
  static SASQ_INLINE void Store(int32_t* sums, Vec v) { _mm512_storeu_si512(sums, v); }
  static SASQ_INLINE Vec Add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static SASQ_INLINE Operand Broadcast(const uint8_t* group) {
    int32_t codes;
    memcpy(&codes, group, sizeof(codes));
    return _mm512_set1_epi32(codes);
  }
  // Masked with all lanes on: GCC 12 warns of undefined values in the plain forms.
  static SASQ_INLINE void FloatsOfHalves(const uint16_t* halves, float* values) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(halves));
    _mm512_storeu_ps(values, _mm512_maskz_cvtph_ps(0xFFFF, bits));
  }
  static SASQ_INLINE void HalvesOfFloats(const float* values, uint16_t* halves) {
    const __m512 floats = _mm512_loadu_ps(values);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(halves),
                        _mm512_maskz_cvtps_ph(0xFFFF, floats, _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_AVX512_INL_H_
