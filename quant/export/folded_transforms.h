// What a pack's recipe folded into the weights, and whether an export can say it.
#ifndef SASQ_QUANT_EXPORT_FOLDED_TRANSFORMS_H_
#define SASQ_QUANT_EXPORT_FOLDED_TRANSFORMS_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "quant/artifact/scale_pack.h"

namespace sasq {

struct FoldedTransforms {
  // Seed of the Hadamard rotations of weight_rotation.h; nothing if there are none.
  std::optional<uint64_t> rotation_seed;
};

// Reads the recipe of the pack's spec. INVALID_ARGUMENT with every reason in words if the recipe
// computes something that a compressed-tensors checkpoint of int8 weights and static scales cannot
// express, or that the pack does not hold: an exact export or none. The same for a spec that this
// version does not understand, and for smoothing factors that are not those of the recipe. (The
// factors themselves are in the pack.)
absl::StatusOr<FoldedTransforms> TransformsOf(const ScalePack& pack);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_FOLDED_TRANSFORMS_H_
