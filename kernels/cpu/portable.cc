// The path without intrinsics, for any CPU: the compiler's generic vectors of 16 bytes.
#include "kernels/cpu/cpu_kernels_inl.h"

namespace sasq::kernels {
namespace {

struct Isa {
  typedef int32_t Vec __attribute__((vector_size(16)));
  typedef int16_t Operand __attribute__((vector_size(16)));
  typedef int16_t Prepared;
  static constexpr int kLanes = 4;
  static constexpr int kVectors = 2;
  static constexpr int kRows = 4;
  static constexpr int kGroupCodes = 2;
  static constexpr int32_t kCodeOffset = 0;

  typedef float Floats __attribute__((vector_size(16)));
  typedef int32_t Vectors __attribute__((vector_size(16)));
  typedef LaneIndices<0, 1, 2, 3> Lanes;
  static constexpr bool kHasFma = false;
  static constexpr int kHalfLanes = 0;
  static constexpr int kHadamardVectors = 8;
  static constexpr int kSiluVectors = 4;

  static SASQ_INLINE Vec Zero() { return Vec{}; }
  static SASQ_INLINE Vec Load(const int32_t* sums) {
    Vec v;
    memcpy(&v, sums, sizeof(v));
    return v;
  }
  static SASQ_INLINE void Store(int32_t* sums, Vec v) { memcpy(sums, &v, sizeof(v)); }
  static SASQ_INLINE Vec Add(Vec a, Vec b) { return a + b; }
  static SASQ_INLINE Operand Broadcast(const uint8_t* group) {
    int32_t pair;
    memcpy(&pair, group, sizeof(pair));
    const Vec pairs = {pair, pair, pair, pair};
    Operand codes;
    memcpy(&codes, &pairs, sizeof(codes));
    return codes;
  }
  static SASQ_INLINE Operand LoadWeights(const int8_t* w) {
    return Operand{w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]};
  }
  // A product of two codes fits 16 bits: at most 128 * 128 = 2^14.
  static SASQ_INLINE Vec MultiplyAdd(Vec sums, Operand codes, Operand weights) {
    const Operand products = codes * weights;
    Vec pairs;
    memcpy(&pairs, &products, sizeof(pairs));
    return sums + (pairs >> 16) + ((pairs << 16) >> 16);
  }
};

}  // namespace

const CpuKernels kPortableKernels = MakeKernels<Isa>();

}  // namespace sasq::kernels
