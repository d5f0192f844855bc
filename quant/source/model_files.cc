#include "quant/source/model_files.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"
#include "quant/source/source_uri.h"

namespace sasq {
namespace {

constexpr char kConfig[] = "config.json";
constexpr char kSingleFile[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr const char* kTokenizers[] = {"tokenizer.json", "tokenizer.model"};
constexpr const char* kOptional[] = {"generation_config.json",  "tokenizer_config.json",
                                     "special_tokens_map.json", "chat_template.jinja",
                                     "chat_template.json",      "tokenizer.json",
                                     "tokenizer.model"};

absl::Status Missing(absl::string_view what) {
  return InvalidModel(absl::StrCat("the model has no ", what,
                                   "; want a Hugging Face folder with config.json, safetensors and "
                                   "a tokenizer"));
}

absl::StatusOr<std::set<std::string>> ShardsOf(absl::string_view index_json) {
  SASQ_ASSIGN_OR_RETURN(const nlohmann::json index, ParseJsonObject(index_json, kIndex));
  const auto weight_map = index.find("weight_map");
  if (weight_map == index.end() || !weight_map->is_object() || weight_map->empty()) {
    return InvalidModel(absl::StrCat(kIndex, ": weight_map is missing or empty"));
  }
  std::set<std::string> shards;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string() || !IsPlainName(file.get_ref<const std::string&>())) {
      return InvalidModel(
          absl::StrCat(kIndex, ": weight_map[\"", tensor, "\"] is not a plain file name"));
    }
    shards.insert(file.get<std::string>());
  }
  return shards;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ChooseModelFiles(
    const std::vector<std::string>& names,
    absl::FunctionRef<absl::StatusOr<std::string>(const std::string& name)> read_index) {
  const std::set<std::string> there(names.begin(), names.end());
  std::set<std::string> chosen;
  if (there.count(kConfig) == 0) return Missing(kConfig);
  chosen.insert(kConfig);
  for (const char* name : kOptional) {
    if (there.count(name) > 0) chosen.insert(name);
  }
  if (chosen.count(kTokenizers[0]) + chosen.count(kTokenizers[1]) == 0) {
    return Missing("tokenizer.json and no tokenizer.model");
  }
  if (there.count(kIndex) > 0) {
    SASQ_ASSIGN_OR_RETURN(const std::string index, read_index(kIndex));
    SASQ_ASSIGN_OR_RETURN(const std::set<std::string> shards, ShardsOf(index));
    for (const std::string& shard : shards) {
      if (there.count(shard) == 0) return Missing(absl::StrCat(shard, ", which its index names"));
    }
    chosen.insert(kIndex);
    chosen.insert(shards.begin(), shards.end());
  } else if (there.count(kSingleFile) > 0) {
    chosen.insert(kSingleFile);
  } else {
    return Missing(absl::StrCat(kSingleFile, " and no ", kIndex));
  }
  return std::vector<std::string>(chosen.begin(), chosen.end());
}

}  // namespace sasq
