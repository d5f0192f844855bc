#include "quant/export/compressed_tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "quant/format/checkpoint.h"
#include "quant/format/weight_values.h"
#include "tests/quant/export/export_inputs.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kLayer[] = "model.layers.0.";
const std::string kFolded = R"("rotation": "ROTATION_FOLDED")";

std::map<std::string, std::string> Files(const std::string& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    files[fs::relative(entry.path(), folder)] = ReadFile(entry.path(), 1 << 30).value();
  }
  return files;
}

TinyModelOptions WithBiases() {
  TinyModelOptions options;
  options.attention_bias = true;
  return options;
}

class CompressedTensorsTest : public ::testing::Test {
 protected:
  absl::Status Export(const ScalePack& pack, int64_t max_shard_bytes = kDefaultShardBytes) {
    ExportOptions options;
    options.model_folder = model_;
    options.out_folder = out_;
    options.max_shard_bytes = max_shard_bytes;
    return ExportCompressedTensors(pack, options).status();
  }

  json Config() const { return json::parse(ReadFile(out_ + "/config.json", 1 << 20).value()); }

  size_t EntryCount() const {
    return static_cast<size_t>(
        std::distance(fs::directory_iterator(parent_), fs::directory_iterator()));
  }

  const std::string model_ = MakeTinyModel(WithBiases());
  const std::string parent_ = MakeTemporaryFolder();
  const std::string out_ = parent_ + "/out";
};

// absmax / 127 and round half to even, the slow and obvious way.
TEST_F(CompressedTensorsTest, IntegersAndScalesAreThoseOfTheFormat) {
  const ScalePack pack = PackFor(model_, SpecOf("METHOD_STATIC_MSE"));
  ASSERT_TRUE(Export(pack).ok());
  const auto base = Checkpoint::Open(model_).value();
  const auto made = Checkpoint::Open(out_).value();
  for (const char* name : {"self_attn.q_proj", "self_attn.k_proj", "mlp.down_proj"}) {
    const std::string module = absl::StrCat(kLayer, name);
    const TensorView stored = base->Find(module + ".weight").value();
    std::vector<float> weights(static_cast<size_t>(stored.element_count()));
    ReadAsFloat(stored, 0, stored.element_count(), weights.data());
    const TensorView codes = made->Find(module + ".weight").value();
    const TensorView scales = made->Find(module + ".weight_scale").value();
    const int64_t rows = stored.shape[0], cols = stored.shape[1];
    ASSERT_EQ(codes.dtype, Dtype::kI8);
    ASSERT_EQ(codes.shape, stored.shape);
    ASSERT_THAT(scales.shape, ElementsAre(rows, 1));
    for (int64_t row = 0; row < rows; ++row) {
      const float* values = weights.data() + row * cols;
      float absmax = 0;
      for (int64_t i = 0; i < cols; ++i) absmax = std::max(absmax, std::fabs(values[i]));
      float scale;
      ReadAsFloat(scales, row, 1, &scale);
      ASSERT_EQ(scale, absmax / 127) << module << " row " << row;
      for (int64_t i = 0; i < cols; ++i) {
        const int8_t code = static_cast<int8_t>(codes.bytes[static_cast<size_t>(row * cols + i)]);
        ASSERT_EQ(code, std::nearbyint(values[i] / scale)) << module << " " << row << ", " << i;
      }
    }
  }
}

TEST_F(CompressedTensorsTest, LinearsThatEnginesFuseShareAScale) {
  const ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ"));
  ASSERT_TRUE(Export(pack).ok());
  const auto made = Checkpoint::Open(out_).value();
  const auto scale = [&](const std::string& module) {
    const TensorView view = made->Find(absl::StrCat(kLayer, module, ".input_scale")).value();
    EXPECT_THAT(view.shape, ElementsAre(1));
    float value;
    ReadAsFloat(view, 0, 1, &value);
    return value;
  };
  for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"}) {
    EXPECT_EQ(scale(module), pack.prefill_scales.at({0, SiteKind::kQkvIn}));
  }
  EXPECT_EQ(scale("self_attn.o_proj"), pack.prefill_scales.at({0, SiteKind::kOIn}));
  for (const char* module : {"mlp.gate_proj", "mlp.up_proj"}) {
    EXPECT_EQ(scale(module), pack.prefill_scales.at({0, SiteKind::kGateUpIn}));
  }
  EXPECT_EQ(scale("mlp.down_proj"), pack.prefill_scales.at({0, SiteKind::kDownIn}));
}

TEST_F(CompressedTensorsTest, CarriesTheRestOverByteForByte) {
  std::ofstream(model_ + "/generation_config.json") << "{}";
  std::ofstream(model_ + "/README.md") << "the base model";
  ASSERT_TRUE(Export(PackFor(model_, SpecOf("METHOD_SASQ"))).ok());
  const auto base = Checkpoint::Open(model_).value();
  const auto made = Checkpoint::Open(out_).value();
  for (const char* name :
       {"model.embed_tokens.weight", "model.norm.weight", "model.layers.1.input_layernorm.weight",
        "model.layers.1.self_attn.q_proj.bias"}) {
    EXPECT_EQ(made->Find(name)->bytes, base->Find(name)->bytes) << name;
    EXPECT_EQ(made->Find(name)->dtype, Dtype::kBF16) << name;
  }
  EXPECT_FALSE(made->Contains("lm_head.weight"));
  const auto files = Files(out_);
  const auto base_files = Files(model_);
  EXPECT_EQ(files.at("tokenizer.json"), base_files.at("tokenizer.json"));
  EXPECT_EQ(files.at("generation_config.json"), "{}");
  EXPECT_EQ(files.at("BASE_MODEL_README.md"), "the base model");
  EXPECT_THAT(files.at("README.md"), HasSubstr("in static INT8"));
  EXPECT_EQ(Config()["hidden_size"], 64);
  EXPECT_EQ(Config()["tie_word_embeddings"], true);
}

TEST_F(CompressedTensorsTest, ConfigNamesEveryGroup) {
  ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ"));
  ASSERT_TRUE(Export(pack).ok());
  EXPECT_EQ(Config()["quantization_config"], json::parse(R"({
      "quant_method": "compressed-tensors", "format": "int-quantized",
      "quantization_status": "compressed", "ignore": ["lm_head"],
      "config_groups": {"group_0": {"targets": ["Linear"],
        "weights": {"num_bits": 8, "type": "int", "symmetric": true, "strategy": "channel",
                    "dynamic": false},
        "input_activations": {"num_bits": 8, "type": "int", "symmetric": true,
                              "strategy": "tensor", "dynamic": false}}}})"));
}

TEST_F(CompressedTensorsTest, SitesThatAreNotStatic) {
  ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ"));
  MakeFloat(pack, {0, SiteKind::kDownIn});
  MakeFloat(pack, {1, SiteKind::kQkvIn});
  MakeDynamic(pack, {0, SiteKind::kQkvIn});
  MakeDynamic(pack, {1, SiteKind::kDownIn});
  ASSERT_TRUE(Export(pack).ok());
  const json quantization = Config()["quantization_config"];
  EXPECT_EQ(quantization["ignore"],
            json({"lm_head", "model.layers.0.mlp.down_proj", "model.layers.1.self_attn.q_proj",
                  "model.layers.1.self_attn.k_proj", "model.layers.1.self_attn.v_proj"}));
  const json group = quantization["config_groups"]["group_1"];
  EXPECT_EQ(group["targets"], json({"re:.*layers\\.0\\.self_attn\\.(q|k|v|qkv)_proj$",
                                    "re:.*layers\\.1\\.mlp\\.down_proj$"}));
  EXPECT_EQ(group["input_activations"]["strategy"], "token");
  EXPECT_EQ(group["input_activations"]["dynamic"], true);
  const auto made = Checkpoint::Open(out_).value();
  EXPECT_EQ(made->Find("model.layers.0.mlp.down_proj.weight")->dtype, Dtype::kBF16);
  EXPECT_FALSE(made->Contains("model.layers.0.mlp.down_proj.weight_scale"));
  EXPECT_TRUE(made->Contains("model.layers.0.self_attn.q_proj.weight_scale"));
  EXPECT_FALSE(made->Contains("model.layers.0.self_attn.q_proj.input_scale"));
}

TEST_F(CompressedTensorsTest, ARotationUntiesTheHead) {
  ASSERT_TRUE(Export(PackFor(model_, SpecOf("METHOD_QUAROT", kFolded))).ok());
  EXPECT_EQ(Config()["tie_word_embeddings"], false);
  const auto made = Checkpoint::Open(out_).value();
  EXPECT_EQ(made->Find("lm_head.weight")->dtype, Dtype::kF32);
  const TensorView norm = made->Find("model.layers.0.input_layernorm.weight").value();
  std::vector<float> gains(64);
  ReadAsFloat(norm, 0, 64, gains.data());
  EXPECT_THAT(gains, ::testing::Each(1.0f));
}

TEST_F(CompressedTensorsTest, TwiceTheSameBytesInAnyNumberOfFiles) {
  const ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ", kFolded, "3"));
  ASSERT_TRUE(Export(pack).ok());
  const auto whole = Files(out_);
  fs::remove_all(out_);
  ASSERT_TRUE(Export(pack).ok());
  EXPECT_EQ(Files(out_), whole);
  const auto one = Checkpoint::Open(out_).value();
  fs::remove_all(out_);
  ASSERT_TRUE(Export(pack, 50'000).ok());
  const auto many = Checkpoint::Open(out_).value();
  EXPECT_GT(many->file_names().size(), 3u);
  ASSERT_EQ(many->names(), one->names());
  for (const std::string& name : one->names()) {
    EXPECT_EQ(many->Find(name)->bytes, one->Find(name)->bytes) << name;
  }
}

TEST_F(CompressedTensorsTest, RefusesOtherWeightsAndLeavesNothing) {
  ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ"));
  pack.base_weight_sha256 = std::string(64, 'b');
  const absl::Status status = Export(pack);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("belongs to weights with the digest"));
  EXPECT_EQ(EntryCount(), 0u);
}

TEST_F(CompressedTensorsTest, RefusesAConfigOfAnotherModel) {
  const ScalePack pack = PackFor(model_, SpecOf("METHOD_SASQ"));
  const auto with = [this](const char* key, int value) {
    json config = json::parse(ReadFile(model_ + "/config.json", 1 << 20).value());
    config[key] = value;
    std::ofstream(model_ + "/config.json") << config.dump();
  };
  with("num_hidden_layers", 3);
  EXPECT_THAT(std::string(Export(pack).message()), HasSubstr("it has 2 layers"));
  with("num_hidden_layers", 2);
  with("intermediate_size", 97);
  EXPECT_THAT(std::string(Export(pack).message()), HasSubstr("want [97, 64]"));
  EXPECT_EQ(EntryCount(), 0u);
}

TEST_F(CompressedTensorsTest, RefusesSmoothingFactorsOfAnotherModel) {
  ScalePack pack = PackFor(model_, SpecOf("METHOD_SMOOTHQUANT"));
  for (const int layer : {0, 1}) {
    pack.smoothing_factors[{layer, SiteKind::kQkvIn}].assign(64, 2);
    pack.smoothing_factors[{layer, SiteKind::kGateUpIn}].assign(63, 2);
  }
  const absl::Status status = Export(pack);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(
      std::string(status.message()),
      HasSubstr("layers.0.gate_up_in has 63 smoothing factors, the model 64 channels there"));
  EXPECT_EQ(EntryCount(), 0u);
}

TEST_F(CompressedTensorsTest, NeverReplacesTheModel) {
  ExportOptions options;
  options.model_folder = model_;
  options.force = true;
  for (const std::string& out : {model_, model_ + "/", fs::path(model_).parent_path().string()}) {
    options.out_folder = out;
    const absl::Status status =
        ExportCompressedTensors(PackFor(model_, SpecOf("METHOD_SASQ")), options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << out;
    EXPECT_THAT(std::string(status.message()), HasSubstr("base model's folder")) << out;
  }
}

TEST_F(CompressedTensorsTest, NamesWeightsThatAreNotFinite) {
  TinyModelOptions model;
  model.nan_tensor = "model.layers.1.mlp.up_proj.weight";
  const std::string damaged = MakeTinyModel(model);
  ExportOptions options;
  options.model_folder = damaged;
  options.out_folder = out_;
  const absl::Status status =
      ExportCompressedTensors(PackFor(damaged, SpecOf("METHOD_SASQ")), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.layers.1.mlp.up_proj.weight"));
  EXPECT_EQ(EntryCount(), 0u);
}

}  // namespace
}  // namespace sasq::testing
