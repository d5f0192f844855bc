// Which files of a Hugging Face folder a job needs.
#ifndef SASQ_QUANT_SOURCE_MODEL_FILES_H_
#define SASQ_QUANT_SOURCE_MODEL_FILES_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"

namespace sasq {

// The longest index of shards that is read.
inline constexpr int64_t kMaxShardIndexBytes = 16 << 20;

// The needed ones of a folder's files, sorted: configuration, tokenizer, generation config, chat
// template, and the weights: the shards that `read_index` (the content of
// model.safetensors.index.json, asked for if there is one) names, else model.safetensors.
// INVALID_ARGUMENT (INVALID_MODEL) says which file is missing; errors of `read_index` are returned.
absl::StatusOr<std::vector<std::string>> ChooseModelFiles(
    const std::vector<std::string>& names,
    absl::FunctionRef<absl::StatusOr<std::string>(const std::string& name)> read_index);

}  // namespace sasq

#endif  // SASQ_QUANT_SOURCE_MODEL_FILES_H_
