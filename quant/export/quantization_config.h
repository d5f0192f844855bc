// config.json of an export: what tells engines how its linears are quantized.
#ifndef SASQ_QUANT_EXPORT_QUANTIZATION_CONFIG_H_
#define SASQ_QUANT_EXPORT_QUANTIZATION_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "quant/artifact/scale_pack.h"
#include "quant/format/model_config.h"

namespace sasq {

// `base_json`, the model's config.json, with a `quantization_config` for compressed-tensors of the
// format `int-quantized`: int8 weights per output channel; int8 activations with one static scale
// per tensor (group_0: every linear), or per token at run time (group_1: linears of the pack's
// dynamic sites, by regular expressions that match the modules of a checkpoint and the fused ones
// of vLLM and SGLang). Linears of float sites, and lm_head, are in `ignore`. With `has_own_head`,
// tie_word_embeddings becomes false. Everything else stays, in its order. INVALID_ARGUMENT
// (INVALID_MODEL) if `base_json` is not JSON.
absl::StatusOr<std::string> QuantizedConfigJson(absl::string_view base_json,
                                                const ModelConfig& config, const ScalePack& pack,
                                                bool has_own_head);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_QUANTIZATION_CONFIG_H_
