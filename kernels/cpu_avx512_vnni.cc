// AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes, so activations carry an offset of 128
// that gemm.cc takes back per column: sum (a + 128) w = sum a w + 128 sum w. It does not saturate.
#include <immintrin.h>

#include "kernels/cpu_kernels_inl.h"

namespace sasq::kernels {
namespace {

struct Isa {
  typedef __m512i Vec;
  typedef __m512i Operand;
  typedef uint8_t Prepared;
  static constexpr int kLanes = 16;
  static constexpr int kVectors = 2;
  static constexpr int kRows = 12;
  static constexpr int kGroupCodes = 4;
  static constexpr int32_t kCodeOffset = 128;

  static SASQ_INLINE Vec Zero() { return _mm512_setzero_si512(); }
  static SASQ_INLINE Vec Load(const int32_t* sums) { return _mm512_loadu_si512(sums); }
  static SASQ_INLINE void Store(int32_t* sums, Vec v) { _mm512_storeu_si512(sums, v); }
  static SASQ_INLINE Vec Add(Vec a, Vec b) { return _mm512_add_epi32(a, b); }
  static SASQ_INLINE Operand Broadcast(const uint8_t* group) {
    int32_t codes;
    memcpy(&codes, group, sizeof(codes));
    return _mm512_set1_epi32(codes);
  }
  static SASQ_INLINE Operand LoadWeights(const int8_t* w) { return _mm512_loadu_si512(w); }
  static SASQ_INLINE Vec MultiplyAdd(Vec sums, Operand codes, Operand weights) {
    return _mm512_dpbusd_epi32(sums, codes, weights);
  }
};

}  // namespace

const CpuKernels kAvx512VnniKernels = MakeKernels<Isa>();

}  // namespace sasq::kernels
