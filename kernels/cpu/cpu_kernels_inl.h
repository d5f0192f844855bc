// Internal: the source of the inner loops, compiled once by each of portable.cc, avx2.cc ... with
// that file's instruction set. Everything in the *_inl.h has internal linkage, and only C headers
// are used: an inline function of the standard library compiled with wider instructions must not
// reach the linker. Plain loops are for the vectorizer.
//
// Each of those files defines `Isa`, the few operations in which the paths differ, and instantiates
// `MakeKernels<Isa>()`:
//   Vec             kLanes int32 sums, one per column; Operand: what MultiplyAdd multiplies
//   kVectors        vectors of one panel; kRows: rows of the largest tile
//   kGroupCodes     codes of one group; kCodeOffset: what prepared codes carry
//   Prepared        element type of prepared codes
//   Load, Store     kLanes sums
//   Broadcast       the 4 prepared bytes of one group, to every lane
//   LoadWeights     kLanes * kGroupCodes codes of a panel
//   MultiplyAdd     sums + dot product of each lane's group
//   kHasFma         whether a * b + c with one rounding is an instruction
//   kHalfLanes      halves that FloatsOfHalves and HalvesOfFloats convert, 0 without them
//   Floats, Vectors, Lanes  kLanes floats, int32 and the indices of the lanes
//   kHadamardVectors  vectors of kLanes floats that fit the registers, a power of two
//   kSiluVectors    chains of operators that keep the CPU busy, a power of two
#ifndef SASQ_KERNELS_CPU_CPU_KERNELS_INL_H_
#define SASQ_KERNELS_CPU_CPU_KERNELS_INL_H_

#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/gemm_inl.h"
#include "kernels/cpu/hadamard_inl.h"
#include "kernels/cpu/quantize_inl.h"
#include "kernels/cpu/rows_inl.h"
#include "kernels/cpu/values_inl.h"

namespace sasq::kernels {
namespace {

template <class Isa>
constexpr CpuKernels MakeKernels() {
  static_assert(Isa::kRows <= kMaxTileRows && Isa::kVectors * Isa::kLanes <= kMaxPanelColumns);
  return {
      .group_codes = Isa::kGroupCodes,
      .tile_rows = Isa::kRows,
      .panel_columns = Isa::kVectors * Isa::kLanes,
      .code_offset = Isa::kCodeOffset,
      .prepare = Prepare<Isa>,
      .tile = Tile<Isa>,
      .dequantize = Dequantize<Isa>,
      .load = Load<Isa>,
      .store = Store<Isa>,
      .quantize = Quantize<Isa>,
      .max_magnitude_bits = MaxMagnitudeBits<Isa>,
      .fake_quantize = FakeQuantize<Isa>,
      .fake_quantize_backward = FakeQuantizeBackwardBlock,
      .norm_row = NormOfRow<Isa>,
      .quantize_normed_row = QuantizeNormedRow<Isa>,
      .max_normed_magnitude_bits = MaxMagnitudeBitsOfNormedRow<Isa>,
      .quantize_silu_mul = QuantizeSiluMul<Isa>,
      .silu_mul = SiluMul<Isa>,
      .hadamard = Hadamard<Isa>,
  };
}

}  // namespace
}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_CPU_KERNELS_INL_H_
