#include "quant/source/model_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quant/status_matchers.h"

namespace sasq {
namespace {

using testing::ElementsAre;

absl::StatusOr<std::vector<std::string>> Choose(const std::vector<std::string>& names,
                                                const std::string& index = "{}") {
  return ChooseModelFiles(names,
                          [&](const std::string&) -> absl::StatusOr<std::string> { return index; });
}

TEST(ModelFilesTest, TakesWhatAJobReadsAndNothingElse) {
  EXPECT_THAT(*Choose({"README.md", "config.json", "model.safetensors", "pytorch_model.bin",
                       "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                       "generation_config.json", "consolidated.safetensors", "evil.py"}),
              ElementsAre("chat_template.jinja", "config.json", "generation_config.json",
                          "model.safetensors", "tokenizer.json", "tokenizer_config.json"));
}

TEST(ModelFilesTest, AnIndexNamesTheShards) {
  const std::string index =
      R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors", "c": "model-1.safetensors"}})";
  const std::vector<std::string> names = {"config.json",         "tokenizer.model",
                                          "model.safetensors",   "model.safetensors.index.json",
                                          "model-1.safetensors", "model-2.safetensors",
                                          "model-3.safetensors"};
  EXPECT_THAT(*Choose(names, index),
              ElementsAre("config.json", "model-1.safetensors", "model-2.safetensors",
                          "model.safetensors.index.json", "tokenizer.model"));
}

TEST(ModelFilesTest, SaysWhatIsMissing) {
  EXPECT_TRUE(IsInvalid(Choose({}), "INVALID_MODEL", "no config.json"));
  EXPECT_TRUE(IsInvalid(Choose({"config.json", "model.safetensors"}), "INVALID_MODEL",
                        "no tokenizer.json and no tokenizer.model"));
  EXPECT_TRUE(IsInvalid(Choose({"config.json", "tokenizer.json", "pytorch_model.bin"}),
                        "INVALID_MODEL", "no model.safetensors"));
  const std::vector<std::string> sharded = {"config.json", "tokenizer.json",
                                            "model.safetensors.index.json"};
  EXPECT_TRUE(IsInvalid(Choose(sharded, R"({"weight_map": {"a": "m.safetensors"}})"),
                        "INVALID_MODEL", "no m.safetensors, which its index names"));
  EXPECT_TRUE(IsInvalid(Choose(sharded, R"({"weight_map": {"a": "../m.safetensors"}})"),
                        "INVALID_MODEL", "plain file name"));
  EXPECT_TRUE(IsInvalid(Choose(sharded, "no JSON"), "INVALID_MODEL", "index.json"));
  EXPECT_TRUE(IsInvalid(Choose(sharded, "{}"), "INVALID_MODEL", "weight_map"));
}

TEST(ModelFilesTest, ReturnsWhatWentWrongWithTheIndex) {
  const auto chosen =
      ChooseModelFiles({"config.json", "tokenizer.json", "model.safetensors.index.json"},
                       [](const std::string&) -> absl::StatusOr<std::string> {
                         return absl::UnavailableError("x");
                       });
  EXPECT_TRUE(absl::IsUnavailable(chosen.status()));
}

}  // namespace
}  // namespace sasq
