// AVX-512 VNNI: vpdpbusd multiplies unsigned by signed bytes, so activations carry an offset of 128
// that gemm.cc takes back per column: sum (a + 128) w = sum a w + 128 sum w. It does not saturate.
#include "kernels/cpu/avx512_inl.h"

namespace sasq::kernels {
namespace {

struct Isa : Avx512 {
  typedef uint8_t Prepared;
  static constexpr int kGroupCodes = 4;
  static constexpr int32_t kCodeOffset = 128;

  static SASQ_INLINE Operand LoadWeights(const int8_t* w) { return _mm512_loadu_si512(w); }
  static SASQ_INLINE Vec MultiplyAdd(Vec sums, Operand codes, Operand weights) {
    return _mm512_dpbusd_epi32(sums, codes, weights);
  }
};

}  // namespace

const CpuKernels kAvx512VnniKernels = MakeKernels<Isa>();

}  // namespace sasq::kernels
