// AVX2 with the FMA and F16C that came with it: codes widened to 16 bits, vpmaddwd. (vpmaddubsw is
// faster but saturates.)
#include <immintrin.h>

#include "kernels/cpu/cpu_kernels_inl.h"

namespace sasq::kernels {
namespace {

struct Isa {
  typedef __m256i Vec;
  typedef __m256i Operand;
  typedef int16_t Prepared;
  static constexpr int kLanes = 8;
  static constexpr int kVectors = 2;
  static constexpr int kRows = 6;
  static constexpr int kGroupCodes = 2;
  static constexpr int32_t kCodeOffset = 0;

  typedef float Floats __attribute__((vector_size(32)));
  typedef int32_t Vectors __attribute__((vector_size(32)));
  typedef LaneIndices<0, 1, 2, 3, 4, 5, 6, 7> Lanes;
  static constexpr bool kHasFma = true;
  static constexpr int kHalfLanes = 8;
  static constexpr int kHadamardVectors = 8;
  static constexpr int kSiluVectors = 4;

  static SASQ_INLINE Vec Zero() { return _mm256_setzero_si256(); }
  static SASQ_INLINE Vec Load(const int32_t* sums) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums));
  }
  static SASQ_INLINE void Store(int32_t* sums, Vec v) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), v);
  }
  static SASQ_INLINE Vec Add(Vec a, Vec b) { return _mm256_add_epi32(a, b); }
  static SASQ_INLINE Operand Broadcast(const uint8_t* group) {
    int32_t pair;
    memcpy(&pair, group, sizeof(pair));
    return _mm256_set1_epi32(pair);
  }
  static SASQ_INLINE Operand LoadWeights(const int8_t* w) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
  }
  static SASQ_INLINE Vec MultiplyAdd(Vec sums, Operand codes, Operand weights) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(codes, weights));
  }
  static SASQ_INLINE void FloatsOfHalves(const uint16_t* halves, float* values) {
    _mm256_storeu_ps(values,
                     _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(halves))));
  }
  static SASQ_INLINE void HalvesOfFloats(const float* values, uint16_t* halves) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(halves),
                     _mm256_cvtps_ph(_mm256_loadu_ps(values), _MM_FROUND_TO_NEAREST_INT));
  }
};

}  // namespace

const CpuKernels kAvx2Kernels = MakeKernels<Isa>();

}  // namespace sasq::kernels
