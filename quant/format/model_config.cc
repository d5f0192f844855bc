#include "quant/format/model_config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

using nlohmann::json;

constexpr int64_t kMaxConfigBytes = 10'000'000;
constexpr int64_t kMaxWidth = 1 << 20;  // hidden_size and intermediate_size
constexpr int64_t kMaxLayerCount = 1024;
constexpr int64_t kMaxHeadCount = 4096;
constexpr int64_t kMaxHeadDim = 4096;
constexpr int64_t kMaxVocabSize = 1 << 24;
constexpr int64_t kMaxPositionCount = int64_t{1} << 30;
constexpr int64_t kDefaultSlidingWindow = 4096;
constexpr int64_t kQwen3DefaultHeadDim = 128;

// In the order of the enum.
constexpr std::array<absl::string_view, 4> kArchitectureNames = {
    "LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"};

// Reads the keys of one JSON object. The first error sticks, so that callers check once at the end.
class ObjectReader {
 public:
  // `name` stands before the keys in errors.
  ObjectReader(const json& object, std::string name) : object_(object), name_(std::move(name)) {}

  bool Has(absl::string_view key) const { return object_.contains(std::string(key)); }

  // Null if absent or null.
  const json* Get(absl::string_view key) const {
    const auto found = object_.find(std::string(key));
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  int64_t Integer(absl::string_view key, std::optional<int64_t> fallback, int64_t low,
                  int64_t high) {
    const json* value = Get(key);
    if (value == nullptr && fallback) return *fallback;
    // A value beyond 2^63-1 is stored unsigned and would wrap.
    if (value != nullptr && value->is_number_integer() &&
        !(value->is_number_unsigned() && value->get<uint64_t>() > INT64_MAX) &&
        value->get<int64_t>() >= low && value->get<int64_t>() <= high) {
      return value->get<int64_t>();
    }
    Fail(key, value, absl::StrCat("an integer in ", low, "..", high));
    return low;
  }

  // A finite number in (low, high].
  double Number(absl::string_view key, std::optional<double> fallback, double low, double high) {
    const json* value = Get(key);
    if (value == nullptr && fallback) return *fallback;
    if (value != nullptr && value->is_number() && value->get<double>() > low &&
        value->get<double>() <= high) {
      return value->get<double>();
    }
    Fail(key, value, absl::StrCat("a number in (", low, ", ", high, "]"));
    return high;
  }

  bool Boolean(absl::string_view key, bool fallback) {
    const json* value = Get(key);
    if (value == nullptr) return fallback;
    if (value->is_boolean()) return value->get<bool>();
    Fail(key, value, "true or false");
    return fallback;
  }

  std::string String(absl::string_view key, absl::string_view fallback) {
    const json* value = Get(key);
    if (value == nullptr) return std::string(fallback);
    if (value->is_string()) return value->get<std::string>();
    Fail(key, value, "a string");
    return std::string(fallback);
  }

  void Fail(absl::string_view key, const json* value, absl::string_view wanted) {
    if (!status_.ok()) return;
    std::string shown = "missing";
    if (value != nullptr) {
      shown = value->is_primitive()
                  ? value->dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace)
                  : absl::StrCat("an ", value->type_name());
    }
    Fail(InvalidModel(absl::StrCat(name_, ": ", key, " is ", shown, ", want ", wanted)));
  }
  void Fail(absl::Status status) {
    if (status_.ok()) status_ = std::move(status);
  }

  const std::string& name() const { return name_; }
  const absl::Status& status() const { return status_; }

 private:
  const json& object_;
  const std::string name_;
  absl::Status status_;
};

absl::StatusOr<Architecture> ReadArchitecture(const ObjectReader& reader) {
  const json* names = reader.Get("architectures");
  if (names == nullptr || !names->is_array() || names->size() != 1 || !(*names)[0].is_string()) {
    return InvalidModel(absl::StrCat(reader.name(),
                                     ": architectures is missing or malformed, want an array of "
                                     "one name; known are ",
                                     absl::StrJoin(kArchitectureNames, ", ")));
  }
  const std::string& name = (*names)[0].get_ref<const std::string&>();
  for (size_t i = 0; i < kArchitectureNames.size(); ++i) {
    if (name == kArchitectureNames[i]) return static_cast<Architecture>(i);
  }
  return UnsupportedModel(absl::StrCat(reader.name(), ": architecture ", name,
                                       " is not known; known are ",
                                       absl::StrJoin(kArchitectureNames, ", ")));
}

// Switches that would change the arithmetic in ways that this version does not have.
absl::Status CheckFeatures(ObjectReader& reader) {
  const std::string activation = reader.String("hidden_act", "silu");
  const double rotary_factor = reader.Number("partial_rotary_factor", 1, 0, 1);
  SASQ_RETURN_IF_ERROR(reader.status());
  if (activation != "silu") {
    return UnsupportedModel(
        absl::StrCat(reader.name(), ": hidden_act \"", activation, "\" is not known, want silu"));
  }
  if (rotary_factor != 1) {
    return UnsupportedModel(absl::StrCat(reader.name(), ": partial_rotary_factor ", rotary_factor,
                                         " is not known, want 1"));
  }
  if (reader.Get("quantization_config") != nullptr) {
    return UnsupportedModel(
        absl::StrCat(reader.name(),
                     ": the weights are quantized already (quantization_config); "
                     "give the model that they were made from"));
  }
  return absl::OkStatus();
}

absl::StatusOr<RopeScaling> ReadRopeScaling(const json& object, const std::string& name) {
  ObjectReader reader(object, name);
  RopeScaling scaling;
  // `type` is the older spelling; files may hold both.
  const std::string kind = reader.String("rope_type", reader.String("type", "default"));
  SASQ_RETURN_IF_ERROR(reader.status());
  if (kind == "linear") {
    scaling.kind = RopeScalingKind::kLinear;
    scaling.factor = reader.Number("factor", std::nullopt, 0, 1e6);
  } else if (kind == "llama3") {
    scaling.kind = RopeScalingKind::kLlama3;
    scaling.factor = reader.Number("factor", std::nullopt, 0, 1e6);
    scaling.low_freq_factor = reader.Number("low_freq_factor", std::nullopt, 0, 1e6);
    scaling.high_freq_factor = reader.Number("high_freq_factor", std::nullopt, 0, 1e6);
    scaling.original_max_position_count =
        reader.Integer("original_max_position_embeddings", std::nullopt, 1, kMaxPositionCount);
    if (reader.status().ok() && scaling.high_freq_factor <= scaling.low_freq_factor) {
      return InvalidModel(absl::StrCat(name, ": high_freq_factor is ", scaling.high_freq_factor,
                                       ", want more than low_freq_factor, ",
                                       scaling.low_freq_factor));
    }
  } else if (kind != "default") {
    return UnsupportedModel(absl::StrCat(name, ": rope scaling \"", kind,
                                         "\" is not known; known are default, linear, llama3"));
  }
  SASQ_RETURN_IF_ERROR(reader.status());
  return scaling;
}

// Two spellings: `rope_theta` and `rope_scaling` beside each other, or both inside
// `rope_parameters`, which wins.
absl::Status ReadRope(ObjectReader& reader, ModelConfig* config) {
  constexpr double kDefaultTheta = 10'000;
  constexpr double kMaxTheta = 1e15;
  config->rope_theta = reader.Number("rope_theta", kDefaultTheta, 0, kMaxTheta);
  SASQ_RETURN_IF_ERROR(reader.status());
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const json* object = reader.Get(key);
    if (object == nullptr) continue;
    const std::string name = absl::StrCat(reader.name(), ": ", key);
    if (!object->is_object()) return InvalidModel(absl::StrCat(name, " is not an object"));
    for (const auto& [kind, value] : object->items()) {
      if (value.is_object()) {
        return UnsupportedModel(absl::StrCat(name, ": differs between layers (", kind,
                                             "), want the same for all layers"));
      }
    }
    ObjectReader rope_reader(*object, name);
    config->rope_theta = rope_reader.Number("rope_theta", config->rope_theta, 0, kMaxTheta);
    SASQ_RETURN_IF_ERROR(rope_reader.status());
    SASQ_ASSIGN_OR_RETURN(config->rope_scaling, ReadRopeScaling(*object, name));
    return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status ReadShapes(ObjectReader& reader, ModelConfig* config) {
  config->hidden_size = reader.Integer("hidden_size", std::nullopt, 1, kMaxWidth);
  config->intermediate_size = reader.Integer("intermediate_size", std::nullopt, 1, kMaxWidth);
  config->layer_count = reader.Integer("num_hidden_layers", std::nullopt, 1, kMaxLayerCount);
  config->head_count = reader.Integer("num_attention_heads", std::nullopt, 1, kMaxHeadCount);
  config->kv_head_count =
      reader.Integer("num_key_value_heads", config->head_count, 1, kMaxHeadCount);
  const int64_t default_head_dim = config->architecture == Architecture::kQwen3
                                       ? kQwen3DefaultHeadDim
                                       : config->hidden_size / config->head_count;
  config->head_dim = reader.Integer("head_dim", default_head_dim, 2, kMaxHeadDim);
  config->vocab_size = reader.Integer("vocab_size", std::nullopt, 1, kMaxVocabSize);
  config->max_position_count =
      reader.Integer("max_position_embeddings", std::nullopt, 1, kMaxPositionCount);
  SASQ_RETURN_IF_ERROR(reader.status());
  if (config->head_count % config->kv_head_count != 0) {
    return InvalidModel(absl::StrCat(reader.name(), ": num_key_value_heads is ",
                                     config->kv_head_count,
                                     ", want a divisor of "
                                     "num_attention_heads, ",
                                     config->head_count));
  }
  if (config->head_dim < 2 || config->head_dim > kMaxHeadDim || config->head_dim % 2 != 0) {
    return InvalidModel(absl::StrCat(reader.name(), ": head_dim is ", config->head_dim,
                                     ", want an even number in 2..", kMaxHeadDim));
  }
  return absl::OkStatus();
}

std::optional<std::vector<int64_t>> ReadEosTokenIds(ObjectReader& reader) {
  constexpr absl::string_view kKey = "eos_token_id";
  const json* const value = reader.Get(kKey);
  if (value == nullptr) return std::nullopt;
  std::vector<int64_t> ids;
  for (const json& id : value->is_array() ? *value : json::array({*value})) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      reader.Fail(kKey, &id, "an integer of 0 or more, or an array of them");
      return std::nullopt;
    }
    ids.push_back(id.get<int64_t>());
  }
  return ids;
}

// What differs between the architectures, as transformers' modules have it.
void ReadSwitches(ObjectReader& reader, ModelConfig* config) {
  switch (config->architecture) {
    case Architecture::kLlama:
      config->qkv_bias = config->o_bias = reader.Boolean("attention_bias", false);
      config->mlp_bias = reader.Boolean("mlp_bias", false);
      break;
    case Architecture::kMistral: {
      // Here null says "none", and only an absent key takes the default.
      const bool absent = !reader.Has("sliding_window");
      if (absent || reader.Get("sliding_window") != nullptr) {
        config->sliding_window =
            reader.Integer("sliding_window", kDefaultSlidingWindow, 1, kMaxPositionCount);
      }
      break;
    }
    case Architecture::kQwen2:
    case Architecture::kQwen3:
      if (config->architecture == Architecture::kQwen2) {
        config->qkv_bias = true;
      } else {
        config->qkv_bias = config->o_bias = reader.Boolean("attention_bias", false);
        config->qk_norm = true;
      }
      if (reader.Boolean("use_sliding_window", false)) {
        config->sliding_window =
            reader.Integer("sliding_window", kDefaultSlidingWindow, 1, kMaxPositionCount);
      }
      break;
  }
}

}  // namespace

absl::string_view ArchitectureName(Architecture architecture) {
  return kArchitectureNames[static_cast<size_t>(architecture)];
}

std::vector<absl::string_view> KnownArchitectures() {
  return {kArchitectureNames.begin(), kArchitectureNames.end()};
}

int64_t ModelConfig::LinearParameterCountPerLayer() const {
  const int64_t attention = (head_count + kv_head_count) * 2 * head_dim * hidden_size;
  return attention + 3 * intermediate_size * hidden_size;
}

int64_t ModelConfig::LinearParameterCount() const {
  return layer_count * LinearParameterCountPerLayer();
}

int64_t ModelConfig::ParameterCount() const {
  int64_t others_per_layer = 2 * hidden_size;
  if (qk_norm) others_per_layer += 2 * head_dim;
  if (qkv_bias) others_per_layer += (head_count + 2 * kv_head_count) * head_dim;
  if (o_bias) others_per_layer += hidden_size;
  if (mlp_bias) others_per_layer += 2 * intermediate_size + hidden_size;
  const int64_t embedding_count = tie_word_embeddings ? 1 : 2;
  return LinearParameterCount() + layer_count * others_per_layer + hidden_size +
         embedding_count * vocab_size * hidden_size;
}

absl::StatusOr<ModelConfig> ParseModelConfig(absl::string_view json_text, absl::string_view what) {
  SASQ_ASSIGN_OR_RETURN(const json object, ParseJsonObject(json_text, what));
  ObjectReader reader(object, std::string(what));
  ModelConfig config;
  SASQ_ASSIGN_OR_RETURN(config.architecture, ReadArchitecture(reader));
  SASQ_RETURN_IF_ERROR(CheckFeatures(reader));
  SASQ_RETURN_IF_ERROR(ReadShapes(reader, &config));
  SASQ_RETURN_IF_ERROR(ReadRope(reader, &config));
  config.rms_norm_epsilon = reader.Number("rms_norm_eps", 1e-6, 0, 1);
  config.tie_word_embeddings = reader.Boolean("tie_word_embeddings", false);
  ReadSwitches(reader, &config);
  if (reader.Get("bos_token_id") != nullptr) {
    config.bos_token_id = reader.Integer("bos_token_id", std::nullopt, 0, config.vocab_size - 1);
  }
  config.eos_token_ids = ReadEosTokenIds(reader).value_or(std::vector<int64_t>());
  SASQ_RETURN_IF_ERROR(reader.status());
  return config;
}

absl::StatusOr<std::optional<std::vector<int64_t>>> ParseEosTokenIds(absl::string_view json_text,
                                                                     absl::string_view what) {
  SASQ_ASSIGN_OR_RETURN(const json object, ParseJsonObject(json_text, what));
  ObjectReader reader(object, std::string(what));
  std::optional<std::vector<int64_t>> ids = ReadEosTokenIds(reader);
  SASQ_RETURN_IF_ERROR(reader.status());
  return ids;
}

absl::StatusOr<ModelConfig> LoadModelConfig(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/config.json");
  const absl::StatusOr<std::string> text = ReadFile(path, kMaxConfigBytes);
  if (!text.ok()) return ModelFileError(text.status());
  SASQ_ASSIGN_OR_RETURN(ModelConfig config, ParseModelConfig(*text, path));
  const std::string generation_path = absl::StrCat(folder, "/generation_config.json");
  const absl::StatusOr<std::string> generation_text = ReadFile(generation_path, kMaxConfigBytes);
  if (absl::IsNotFound(generation_text.status())) return config;
  if (!generation_text.ok()) return ModelFileError(generation_text.status());
  SASQ_ASSIGN_OR_RETURN(std::optional<std::vector<int64_t>> eos_token_ids,
                        ParseEosTokenIds(*generation_text, generation_path));
  if (eos_token_ids) config.eos_token_ids = *std::move(eos_token_ids);
  return config;
}

}  // namespace sasq
