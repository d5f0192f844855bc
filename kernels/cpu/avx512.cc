// AVX-512 (F, BW, DQ, VL) without VNNI: codes widened to 16 bits, vpmaddwd.
#include "kernels/cpu/avx512_inl.h"

namespace sasq::kernels {
namespace {

struct Isa : Avx512 {
  typedef int16_t Prepared;
  static constexpr int kGroupCodes = 2;
  static constexpr int32_t kCodeOffset = 0;

  static SASQ_INLINE Operand LoadWeights(const int8_t* w) {
    return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(w)));
  }
  static SASQ_INLINE Vec MultiplyAdd(Vec sums, Operand codes, Operand weights) {
    return _mm512_add_epi32(sums, _mm512_madd_epi16(codes, weights));
  }
};

}  // namespace

const CpuKernels kAvx512Kernels = MakeKernels<Isa>();

}  // namespace sasq::kernels
