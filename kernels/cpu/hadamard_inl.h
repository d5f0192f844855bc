// Internal, see cpu_kernels_inl.h: the Walsh-Hadamard transform. Within a stage pairs stand alone,
// so stages are taken several at a time with their values in registers; the bits do not change.
#ifndef SASQ_KERNELS_CPU_HADAMARD_INL_H_
#define SASQ_KERNELS_CPU_HADAMARD_INL_H_

#include "kernels/cpu/values_inl.h"
#include "kernels/hadamard.h"

namespace sasq::kernels {
namespace {

// The indices of a vector's lanes.
template <int... kIndices>
struct LaneIndices {};

// Stages of distance 1, 2 ... up to below `end` lanes within a vector: a + b in the lanes whose
// index lacks the stage's bit, a - b in the others.
template <class Isa, int kDistance = 1, int... kIndices>
SASQ_INLINE void StagesInVector(typename Isa::Floats& v, int64_t end,
                                LaneIndices<kIndices...> all) {
  if constexpr (kDistance < Isa::kLanes) {
    if (kDistance >= end) return;
    const typename Isa::Floats partner = __builtin_shufflevector(v, v, (kIndices ^ kDistance)...);
    const typename Isa::Vectors signs = {((kIndices & kDistance) != 0 ? INT32_MIN : 0)...};
    typename Isa::Vectors bits;
    memcpy(&bits, &v, sizeof(v));
    bits ^= signs;
    typename Isa::Floats signed_v;
    memcpy(&signed_v, &bits, sizeof(v));
    v = partner + signed_v;
    StagesInVector<Isa, kDistance * 2>(v, end, all);
  }
}

// Stages of distance 1, 2 ... kCount / 2 vectors.
template <int kCount, int kDistance = 1, class Floats>
SASQ_INLINE void StagesAcross(Floats* v) {
  if constexpr (kDistance < kCount) {
#pragma GCC unroll 16
    for (int i = 0; i < kCount; ++i) {
      if ((i & kDistance) != 0) continue;
      const Floats a = v[i];
      const Floats b = v[i + kDistance];
      v[i] = a + b;
      v[i + kDistance] = a - b;
    }
    StagesAcross<kCount, kDistance * 2>(v);
  }
}

// The stages of kCount vectors that lie `stride` floats apart, for all that begin within `stride`
// floats of x, and so on through `count` floats. `lane_end` above 1 adds the stages within vectors
// before.
template <class Isa, int kCount>
void StagesOf(float* x, int64_t count, int64_t stride, int64_t lane_end) {
  for (int64_t first = 0; first < count; first += kCount * stride) {
    for (int64_t j = first; j < first + stride; j += Isa::kLanes) {
      typename Isa::Floats v[kCount];
#pragma GCC unroll 16
      for (int i = 0; i < kCount; ++i) {
        memcpy(&v[i], x + j + i * stride, sizeof(v[i]));
        if (lane_end > 1) {
          StagesInVector<Isa>(v[i], lane_end, typename Isa::Lanes());
        }
      }
      StagesAcross<kCount>(v);
#pragma GCC unroll 16
      for (int i = 0; i < kCount; ++i) memcpy(x + j + i * stride, &v[i], sizeof(v[i]));
    }
  }
}

// As StagesOf, of `vectors` <= kMost vectors, a power of two.
template <class Isa, int kMost = Isa::kHadamardVectors>
SASQ_INLINE void Stages(int64_t vectors, float* x, int64_t count, int64_t stride,
                        int64_t lane_end) {
  if constexpr (kMost > 1) {
    if (vectors < kMost) return Stages<Isa, kMost / 2>(vectors, x, count, stride, lane_end);
  }
  StagesOf<Isa, kMost>(x, count, stride, lane_end);
}

// All stages of blocks of `block` floats. `count` is a multiple of the lanes.
template <class Isa>
void TransformFloats(float* x, int64_t count, int64_t block) {
  int64_t stride = Isa::kLanes;
  int64_t lane_end = block;
  do {  // at least once, for the stages within vectors
    const int64_t rest = block / stride;
    const int64_t vectors = rest < 1                       ? 1
                            : rest < Isa::kHadamardVectors ? rest
                                                           : Isa::kHadamardVectors;
    Stages<Isa>(vectors, x, count, stride, lane_end);
    stride *= vectors;
    lane_end = 1;
  } while (stride < block);
}

template <class Isa>
void Hadamard(DataType type, const void* x, int64_t count, int64_t block, void* y) {
  alignas(kLineBytes) float values[kMaxHadamardBlock];
  Load<Isa>(type, x, count, values);
  const int64_t padded = (count + Isa::kLanes - 1) / Isa::kLanes * Isa::kLanes;
  for (int64_t i = count; i < padded; ++i) values[i] = 0.0f;
  TransformFloats<Isa>(values, padded, block);
  const float factor = HadamardFactor(block);
  float* const out = type == DataType::kFloat32 ? static_cast<float*>(y) : values;
  for (int64_t i = 0; i < count; ++i) out[i] = values[i] * factor;
  if (type != DataType::kFloat32) Store<Isa>(type, values, count, y);
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_HADAMARD_INL_H_
