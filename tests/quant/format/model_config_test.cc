#include "quant/format/model_config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using nlohmann::json;

// SmolLM2-135M-Instruct's.
json SmolLm2() {
  return json::parse(R"({
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "attention_bias": false,
    "mlp_bias": false, "hidden_act": "silu", "hidden_size": 576, "intermediate_size": 1536,
    "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "max_position_embeddings": 8192, "rms_norm_eps": 1e-05, "rope_theta": 100000.0,
    "rope_scaling": null, "tie_word_embeddings": true, "vocab_size": 49152, "bos_token_id": 1})");
}

// SmolLm2 with the keys of `changes` set, or removed where their value is "ABSENT".
absl::StatusOr<ModelConfig> ParseWith(const json& changes) {
  json config = SmolLm2();
  for (const auto& [key, value] : changes.items()) {
    if (value == "ABSENT") {
      config.erase(key);
    } else {
      config[key] = value;
    }
  }
  return ParseModelConfig(config.dump());
}

ModelConfig ParseGood(const json& changes) {
  const auto config = ParseWith(changes);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(ModelConfig());
}

TEST(ModelConfigTest, ReadsALlama) {
  const ModelConfig config = ParseGood({});
  EXPECT_EQ(config.architecture, Architecture::kLlama);
  EXPECT_EQ(config.hidden_size, 576);
  EXPECT_EQ(config.intermediate_size, 1536);
  EXPECT_EQ(config.layer_count, 30);
  EXPECT_EQ(config.head_count, 9);
  EXPECT_EQ(config.kv_head_count, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.vocab_size, 49152);
  EXPECT_EQ(config.max_position_count, 8192);
  EXPECT_EQ(config.rms_norm_epsilon, 1e-5);
  EXPECT_EQ(config.rope_theta, 100000);
  EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::kNone);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_FALSE(config.qkv_bias || config.o_bias || config.mlp_bias || config.qk_norm);
  EXPECT_EQ(config.sliding_window, std::nullopt);
  EXPECT_EQ(config.bos_token_id, 1);
  // 134,515,008 is what the safetensors header of the published model adds up to.
  EXPECT_EQ(config.ParameterCount(), 134'515'008);
  EXPECT_EQ(config.LinearParameterCount(), 106'168'320);
  EXPECT_EQ(config.LinearParameterCountPerLayer() * 30, config.LinearParameterCount());
}

TEST(ModelConfigTest, CountsTheParametersOfPublishedModels) {
  const ModelConfig llama2 = ParseGood({{"hidden_size", 4096},
                                        {"intermediate_size", 11008},
                                        {"num_hidden_layers", 32},
                                        {"num_attention_heads", 32},
                                        {"num_key_value_heads", 32},
                                        {"vocab_size", 32000},
                                        {"tie_word_embeddings", false}});
  EXPECT_EQ(llama2.ParameterCount(), 6'738'415'616);  // LLaMA-2-7B
  const ModelConfig qwen2 = ParseGood({{"architectures", {"Qwen2ForCausalLM"}},
                                       {"hidden_size", 896},
                                       {"intermediate_size", 4864},
                                       {"num_hidden_layers", 24},
                                       {"num_attention_heads", 14},
                                       {"num_key_value_heads", 2},
                                       {"vocab_size", 151936}});
  EXPECT_EQ(qwen2.ParameterCount(), 494'032'768);  // Qwen2.5-0.5B
  const ModelConfig qwen3 = ParseGood({{"architectures", {"Qwen3ForCausalLM"}},
                                       {"hidden_size", 1024},
                                       {"intermediate_size", 3072},
                                       {"num_hidden_layers", 28},
                                       {"num_attention_heads", 16},
                                       {"num_key_value_heads", 8},
                                       {"head_dim", 128},
                                       {"vocab_size", 151936}});
  EXPECT_EQ(qwen3.ParameterCount(), 596'049'920);  // Qwen3-0.6B
}

TEST(ModelConfigTest, KnowsWhatDiffersBetweenArchitectures) {
  const ModelConfig llama = ParseGood({{"attention_bias", true}, {"mlp_bias", true}});
  EXPECT_TRUE(llama.qkv_bias && llama.o_bias && llama.mlp_bias);
  const ModelConfig qwen2 = ParseGood({{"architectures", {"Qwen2ForCausalLM"}}});
  EXPECT_TRUE(qwen2.qkv_bias);
  EXPECT_FALSE(qwen2.o_bias || qwen2.mlp_bias || qwen2.qk_norm);
  const ModelConfig qwen3 = ParseGood({{"architectures", {"Qwen3ForCausalLM"}}});
  EXPECT_TRUE(qwen3.qk_norm);
  EXPECT_FALSE(qwen3.qkv_bias || qwen3.o_bias);
  EXPECT_EQ(qwen3.head_dim, 128);
  const ModelConfig mistral = ParseGood({{"architectures", {"MistralForCausalLM"}}});
  EXPECT_FALSE(mistral.qkv_bias || mistral.o_bias || mistral.mlp_bias || mistral.qk_norm);
  for (const absl::string_view name : KnownArchitectures()) {
    const ModelConfig config = ParseGood({{"architectures", {std::string(name)}}});
    EXPECT_EQ(ArchitectureName(config.architecture), name);
  }
}

TEST(ModelConfigTest, ReadsSlidingWindows) {
  const json mistral = {{"architectures", {"MistralForCausalLM"}}};
  const auto mistral_with = [&mistral](const json& window) {
    json changes = mistral;
    changes["sliding_window"] = window;
    return ParseGood(changes).sliding_window;
  };
  EXPECT_EQ(mistral_with(2048), 2048);
  EXPECT_EQ(mistral_with(nullptr), std::nullopt);
  EXPECT_EQ(ParseGood(mistral).sliding_window, 4096);
  for (const char* name : {"Qwen2ForCausalLM", "Qwen3ForCausalLM"}) {
    EXPECT_EQ(ParseGood({{"architectures", {name}}, {"sliding_window", 512}}).sliding_window,
              std::nullopt);
    EXPECT_EQ(
        ParseGood(
            {{"architectures", {name}}, {"sliding_window", 512}, {"use_sliding_window", true}})
            .sliding_window,
        512);
  }
  EXPECT_EQ(ParseGood({{"sliding_window", 512}}).sliding_window, std::nullopt);  // LLaMA has none
}

TEST(ModelConfigTest, ReadsBothSpellingsOfRope) {
  EXPECT_EQ(ParseGood({{"rope_theta", "ABSENT"}}).rope_theta, 10000);
  const json llama3 = {{"rope_type", "llama3"},
                       {"factor", 8.0},
                       {"low_freq_factor", 1.0},
                       {"high_freq_factor", 4.0},
                       {"original_max_position_embeddings", 8192}};
  json parameters = llama3;
  parameters["rope_theta"] = 500000;
  for (const ModelConfig& config :
       {ParseGood({{"rope_scaling", llama3}, {"rope_theta", 500000}}),
        ParseGood({{"rope_parameters", parameters}, {"rope_theta", "ABSENT"}}),
        ParseGood({{"rope_parameters", parameters}, {"rope_scaling", {{"type", "linear"}}}})}) {
    EXPECT_EQ(config.rope_theta, 500000);
    EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::kLlama3);
    EXPECT_EQ(config.rope_scaling.factor, 8);
    EXPECT_EQ(config.rope_scaling.low_freq_factor, 1);
    EXPECT_EQ(config.rope_scaling.high_freq_factor, 4);
    EXPECT_EQ(config.rope_scaling.original_max_position_count, 8192);
  }
  for (const char* key : {"type", "rope_type"}) {
    const ModelConfig config = ParseGood({{"rope_scaling", {{key, "linear"}, {"factor", 4}}}});
    EXPECT_EQ(config.rope_scaling.kind, RopeScalingKind::kLinear);
    EXPECT_EQ(config.rope_scaling.factor, 4);
    EXPECT_EQ(config.rope_theta, 100000);
  }
  const ModelConfig plain =
      ParseGood({{"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 1000000.0}}}});
  EXPECT_EQ(plain.rope_scaling.kind, RopeScalingKind::kNone);
  EXPECT_EQ(plain.rope_theta, 1000000);
}

TEST(ModelConfigTest, RefusesWhatItDoesNotKnow) {
  const std::pair<json, const char*> cases[] = {
      {{{"architectures", {"GPT2LMHeadModel"}}},
       "architecture GPT2LMHeadModel is not known; known are LlamaForCausalLM, "
       "MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM"},
      {{{"hidden_act", "gelu"}}, "hidden_act \"gelu\""},
      {{{"partial_rotary_factor", 0.5}}, "partial_rotary_factor 0.5"},
      {{{"quantization_config", {{"quant_method", "gptq"}}}}, "quantized already"},
      {{{"rope_scaling", {{"type", "dynamic"}, {"factor", 2}}}}, "\"dynamic\""},
      {{{"rope_scaling", {{"rope_type", "yarn"}, {"factor", 2}}}}, "\"yarn\""},
      {{{"rope_parameters", {{"rope_type", "longrope"}}}}, "\"longrope\""},
      {{{"rope_parameters", {{"full_attention", {{"rope_type", "default"}}}}}},
       "differs between layers"},
  };
  for (const auto& [changes, part] : cases) {
    EXPECT_TRUE(IsInvalid(ParseWith(changes), "UNSUPPORTED_MODEL", part)) << changes;
  }
}

TEST(ModelConfigTest, RefusesWhatIsWrong) {
  const std::pair<json, const char*> cases[] = {
      {{{"architectures", "ABSENT"}}, "known are LlamaForCausalLM"},
      {{{"architectures", json::array()}}, "architectures is missing or malformed"},
      {{{"architectures", {1}}}, "architectures is missing or malformed"},
      {{{"hidden_size", "ABSENT"}}, "hidden_size is missing, want an integer in 1..1048576"},
      {{{"hidden_size", 0}}, "hidden_size is 0, want"},
      {{{"hidden_size", -576}}, "hidden_size is -576, want"},
      {{{"hidden_size", "576"}}, "hidden_size is \"576\", want"},
      {{{"hidden_size", 576.5}}, "hidden_size is 576.5, want"},
      {{{"hidden_size", 18446744073709551615u}}, "hidden_size is 18446744073709551615, want"},
      {{{"hidden_size", json::array()}}, "hidden_size is an array, want"},
      {{{"intermediate_size", int64_t{1} << 21}}, "intermediate_size is 2097152, want"},
      {{{"num_hidden_layers", 1025}}, "num_hidden_layers is 1025, want an integer in 1..1024"},
      {{{"num_attention_heads", 0}}, "num_attention_heads is 0"},
      {{{"num_key_value_heads", 4}}, "num_key_value_heads is 4, want a divisor"},
      {{{"num_key_value_heads", 0}}, "num_key_value_heads is 0"},
      {{{"head_dim", 63}}, "head_dim is 63, want an even number"},
      {{{"hidden_size", 4}}, "head_dim is 0"},
      {{{"vocab_size", 0}}, "vocab_size is 0"},
      {{{"max_position_embeddings", 0}}, "max_position_embeddings is 0"},
      {{{"rms_norm_eps", 0}}, "rms_norm_eps is 0, want a number in (0, 1]"},
      {{{"rope_theta", -1}}, "rope_theta is -1"},
      {{{"rope_scaling", "linear"}}, "rope_scaling is not an object"},
      {{{"rope_scaling", {{"type", "linear"}}}}, "rope_scaling: factor is missing"},
      {{{"rope_scaling", {{"type", 1}}}}, "rope_scaling: type is 1, want a string"},
      {{{"rope_scaling", {{"type", "llama3"}, {"factor", 8}}}}, "low_freq_factor is missing"},
      {{{"rope_scaling",
         {{"type", "llama3"},
          {"factor", 8},
          {"low_freq_factor", 4},
          {"high_freq_factor", 4},
          {"original_max_position_embeddings", 8192}}}},
       "high_freq_factor is 4, want more"},
      {{{"tie_word_embeddings", 1}}, "tie_word_embeddings is 1, want true or false"},
      {{{"bos_token_id", 49152}}, "bos_token_id is 49152, want an integer in 0..49151"},
      {{{"eos_token_id", "</s>"}}, "eos_token_id is \"</s>\", want an integer of 0 or more"},
      {{{"eos_token_id", {2, -1}}}, "eos_token_id is -1, want an integer of 0 or more"},
  };
  for (const auto& [changes, part] : cases) {
    EXPECT_TRUE(IsInvalid(ParseWith(changes), "INVALID_MODEL", part)) << changes;
  }
}

TEST(ModelConfigTest, RefusesTextThatIsNotAnObject) {
  for (const char* text : {"", "{", "[]", "null", "{\"a\": NaN}", "{\"a\": 1, \"a\": 2}", "\xff",
                           "{\"a\": \"\xff\"}", "{\"architectures\": [\"\\ud800\"]}"}) {
    EXPECT_TRUE(IsInvalid(ParseModelConfig(text, "x.json"), "INVALID_MODEL", "x.json")) << text;
  }
  const std::string deep = absl::StrCat("{\"a\":", std::string(100'000, '['));
  EXPECT_TRUE(IsInvalid(ParseModelConfig(deep), "INVALID_MODEL", "not valid JSON"));
}

TEST(ModelConfigTest, ReadsTheTokensThatEndAnAnswer) {
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(ParseGood({}).eos_token_ids, Ids());
  EXPECT_EQ(ParseGood({{"eos_token_id", nullptr}}).eos_token_ids, Ids());
  EXPECT_EQ(ParseGood({{"eos_token_id", 2}}).eos_token_ids, Ids{2});
  EXPECT_EQ(ParseGood({{"eos_token_id", {128001, 128009}}}).eos_token_ids, (Ids{128001, 128009}));
}

TEST(ModelConfigTest, GenerationConfigSaysBetterWhatEndsAnAnswer) {
  TemporaryFolder folder;
  json config = SmolLm2();
  config["eos_token_id"] = 2;
  folder.Write("config.json", config.dump());
  const auto load = [&] { return LoadModelConfig(folder.path()); };
  EXPECT_EQ(load()->eos_token_ids, std::vector<int64_t>{2});
  folder.Write("generation_config.json", R"({"bos_token_id": 1})");
  EXPECT_EQ(load()->eos_token_ids, std::vector<int64_t>{2});
  folder.Write("generation_config.json", R"({"eos_token_id": [0, 2]})");
  EXPECT_EQ(load()->eos_token_ids, (std::vector<int64_t>{0, 2}));
  folder.Write("generation_config.json", R"({"eos_token_id": 0.5})");
  EXPECT_TRUE(IsInvalid(load(), "INVALID_MODEL", "generation_config.json: eos_token_id is 0.5"));
  folder.Write("generation_config.json", "{");
  EXPECT_TRUE(IsInvalid(load(), "INVALID_MODEL", "generation_config.json is not valid JSON"));
}

TEST(ModelConfigTest, LoadsFromAFolderAndNamesAMissingOne) {
  TemporaryFolder folder;
  folder.Write("config.json", SmolLm2().dump());
  EXPECT_TRUE(LoadModelConfig(folder.path()).ok());
  EXPECT_TRUE(IsInvalid(LoadModelConfig("/no/such/folder"), "INVALID_MODEL",
                        "/no/such/folder/config.json: No such file or directory; want a Hugging "
                        "Face folder"));
}

}  // namespace
}  // namespace sasq
