#include "tests/support/tiny_model.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "common/uid.h"
#include "quant/format/safetensors.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

uint16_t Bf16Bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return static_cast<uint16_t>(bits >> 16);
}

// For normal numbers within binary16's range, and a NaN; the rest becomes 0.
uint16_t F16Bits(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  const uint16_t sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const int exponent = static_cast<int>((bits >> 23) & 0xff) - 127 + 15;
  if (exponent > 30) return 0x7e00;
  if (exponent < 1) return sign;
  return static_cast<uint16_t>(sign | (exponent << 10) | ((bits >> 13) & 0x3ff));
}

// Tensors of one file, with random content.
class WeightWriter {
 public:
  explicit WeightWriter(const TinyModelOptions& options)
      : options_(options), random_(options.seed) {}

  // Normally distributed around `mean`. (Made by hand: std::normal_distribution differs between
  // standard libraries.)
  void Add(const std::string& name, std::vector<int64_t> shape, float mean, float deviation) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    std::vector<float> values;
    for (int64_t i = 0; i < count; ++i) {
      double sum = 0;
      for (int part = 0; part < 12; ++part) sum += static_cast<double>(random_()) / 4294967296.0;
      values.push_back(mean + deviation * static_cast<float>(sum - 6));
    }
    if (name == options_.without_tensor) return;
    if (name == options_.nan_tensor) values.back() = NAN;
    bytes_.push_back(Encode(values));
    tensors_.push_back({name, options_.dtype, std::move(shape), bytes_.back()});
  }

  void WriteTo(const std::string& path) const {
    const absl::StatusOr<std::string> file = SerializeSafetensors(tensors_, {{"format", "pt"}});
    SASQ_CHECK(file.ok());
    SASQ_CHECK(WriteFileDurably(path, *file).ok());
  }

 private:
  std::string Encode(const std::vector<float>& values) const {
    std::string bytes;
    for (const float value : values) {
      if (options_.dtype == Dtype::kF32) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
      } else {
        const uint16_t bits = options_.dtype == Dtype::kBF16 ? Bf16Bits(value) : F16Bits(value);
        bytes.append(reinterpret_cast<const char*>(&bits), sizeof(bits));
      }
    }
    return bytes;
  }

  const TinyModelOptions& options_;
  std::mt19937 random_;
  std::deque<std::string> bytes_;  // its elements keep their addresses
  std::vector<TensorToWrite> tensors_;
};

void WriteWeights(const std::string& folder, const TinyModelOptions& o) {
  constexpr float kWeight = 0.15f;
  WeightWriter writer(o);
  const auto linear = [&](const std::string& name, int64_t out, int64_t in, bool bias) {
    writer.Add(name + ".weight", {out, in}, 0, kWeight);
    if (bias) writer.Add(name + ".bias", {out}, 0, 0.1f);
  };
  const bool qkv_bias = o.attention_bias || o.architecture == "Qwen2ForCausalLM";
  const int64_t q_size = o.head_count * o.head_dim;
  const int64_t kv_size = o.kv_head_count * o.head_dim;
  writer.Add("model.embed_tokens.weight", {o.vocab_size, o.hidden_size}, 0, 0.5f);
  writer.Add("model.norm.weight", {o.hidden_size}, 1, 0.1f);
  if (!o.tie_word_embeddings)
    writer.Add("lm_head.weight", {o.vocab_size, o.hidden_size}, 0, o.head_deviation);
  for (int64_t layer = 0; layer < o.layer_count; ++layer) {
    const std::string prefix = absl::StrCat("model.layers.", layer, ".");
    writer.Add(prefix + "input_layernorm.weight", {o.hidden_size}, 1, 0.1f);
    writer.Add(prefix + "post_attention_layernorm.weight", {o.hidden_size}, 1, 0.1f);
    if (o.qk_norm) {
      writer.Add(prefix + "self_attn.q_norm.weight", {o.head_dim}, 1, 0.1f);
      writer.Add(prefix + "self_attn.k_norm.weight", {o.head_dim}, 1, 0.1f);
    }
    linear(prefix + "self_attn.q_proj", q_size, o.hidden_size, qkv_bias);
    linear(prefix + "self_attn.k_proj", kv_size, o.hidden_size, qkv_bias);
    linear(prefix + "self_attn.v_proj", kv_size, o.hidden_size, qkv_bias);
    linear(prefix + "self_attn.o_proj", o.hidden_size, q_size, o.attention_bias);
    linear(prefix + "mlp.gate_proj", o.intermediate_size, o.hidden_size, o.mlp_bias);
    linear(prefix + "mlp.up_proj", o.intermediate_size, o.hidden_size, o.mlp_bias);
    linear(prefix + "mlp.down_proj", o.hidden_size, o.intermediate_size, o.mlp_bias);
  }
  writer.WriteTo(folder + "/model.safetensors");
}

nlohmann::json ConfigJson(const TinyModelOptions& o) {
  nlohmann::json config = {
      {"architectures", {o.architecture}},
      {"hidden_act", "silu"},
      {"hidden_size", o.hidden_size},
      {"intermediate_size", o.intermediate_size},
      {"num_hidden_layers", o.layer_count},
      {"num_attention_heads", o.head_count},
      {"num_key_value_heads", o.kv_head_count},
      {"head_dim", o.head_dim},
      {"vocab_size", o.vocab_size},
      {"max_position_embeddings", o.max_position_count},
      {"rms_norm_eps", 1e-5},
      {"rope_theta", 10000.0},
      {"tie_word_embeddings", o.tie_word_embeddings},
      {"attention_bias", o.attention_bias},
      {"mlp_bias", o.mlp_bias},
  };
  if (!o.rope_scaling.empty()) config["rope_scaling"] = nlohmann::json::parse(o.rope_scaling);
  return config;
}

// The character that byte-level BPE writes for a byte: printable ones stand for themselves, the
// rest follow from U+0100 on (as in GPT-2).
std::string ByteCharacter(int byte, int* next_code_point) {
  const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const int code_point = printable ? byte : (*next_code_point)++;
  if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
  return {static_cast<char>(0xc0 | (code_point >> 6)), static_cast<char>(0x80 | (code_point & 63))};
}

nlohmann::json TokenizerJson() {
  nlohmann::json vocabulary = nlohmann::json::object();
  int next_code_point = 256;
  for (int byte = 0; byte < 256; ++byte) vocabulary[ByteCharacter(byte, &next_code_point)] = byte;
  const nlohmann::json byte_level = {{"type", "ByteLevel"},
                                     {"add_prefix_space", false},
                                     {"trim_offsets", true},
                                     {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", nlohmann::json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocabulary},
            {"merges", nlohmann::json::array()}}}};
}

}  // namespace

void WriteTinyModel(const std::string& folder, const TinyModelOptions& options) {
  SASQ_CHECK(MakeFolders(folder).ok());
  WriteWeights(folder, options);
  SASQ_CHECK(WriteFileDurably(folder + "/config.json", ConfigJson(options).dump(2)).ok());
  SASQ_CHECK(WriteFileDurably(folder + "/tokenizer.json", TokenizerJson().dump()).ok());
}

std::string MakeTinyModel(const TinyModelOptions& options) {
  const std::string folder = MakeTemporaryFolder();
  WriteTinyModel(folder, options);
  return folder;
}

std::string MakeTemporaryFolder() {
  static const TemporaryFolder root;  // removed when the program ends
  const std::string folder = root.Path(NewUid());
  SASQ_CHECK(MakeFolders(folder).ok());
  return folder;
}

std::string MakeText(int64_t byte_count, uint64_t seed) {
  std::mt19937 random(seed);
  std::string text;
  while (static_cast<int64_t>(text.size()) < byte_count) {
    const int length = 1 + static_cast<int>(random() % 9);
    for (int i = 0; i < length; ++i) text.push_back(static_cast<char>('a' + random() % 26));
    text.push_back(random() % 12 == 0 ? '\n' : ' ');
  }
  text.resize(static_cast<size_t>(byte_count));
  return text;
}

}  // namespace sasq::testing
