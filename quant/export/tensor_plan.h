// Which tensors an export has, and how the bytes of each are made from the base weights.
#ifndef SASQ_QUANT_EXPORT_TENSOR_PLAN_H_
#define SASQ_QUANT_EXPORT_TENSOR_PLAN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/artifact/scale_pack.h"
#include "quant/export/weight_rotation.h"
#include "quant/format/checkpoint.h"
#include "quant/format/model_config.h"
#include "quant/format/safetensors.h"

namespace sasq {

// Takes bytes of part `part` of a planned tensor, from `offset_bytes` of it on.
using PartSink =
    absl::FunctionRef<absl::Status(size_t part, int64_t offset_bytes, absl::string_view bytes)>;

// What is written at once, into one file: a tensor, or the weight of a linear with its scales.
struct PlannedTensor {
  std::vector<TensorEntry> parts;
  // Hands every byte of every part to the sink, in pieces. INVALID_ARGUMENT (INVALID_MODEL) for
  // weights that are not finite; else what the sink returns.
  std::function<absl::Status(PartSink sink)> write;
};

// What a plan is made of; everything outlives it.
struct PlanInputs {
  const ModelConfig& config;
  const Checkpoint& checkpoint;
  const ScalePack& pack;
  const WeightRotation* rotation = nullptr;  // null: nothing was folded
};

// All tensors of the export, in the order of the model:
//   - linears of static sites: `weight` I8 [out, in], `weight_scale` F32 [out, 1] and `input_scale`
//     F32 [1], the scale of the site; of dynamic sites without `input_scale`. The integers are
//     those of kernels/quantize.h: symmetric, absmax / 127 of each output channel, half to even.
//   - what the rotation changes: F32, norms' gains as ones, and an lm_head of its own.
//   - what the pack's smoothing factors change, after the rotation: F32.
//   - everything else: the bytes of the base model. A tied lm_head is absent.
// INVALID_ARGUMENT (INVALID_MODEL) if a tensor is missing or does not have the shape that the
// configuration promises.
absl::StatusOr<std::vector<PlannedTensor>> PlanTensors(const PlanInputs& inputs);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_TENSOR_PLAN_H_
