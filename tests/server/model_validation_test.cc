// What a spec asks of a model that the model does not have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "quant/format/model_config.h"
#include "server/spec_validation.h"
#include "tests/server/test_specs.h"

namespace sasq {
namespace {

// The fields that a model of 2 layers and 32 tokens lacks something for.
std::vector<std::string> LackingFields(const v1::JobSpec& spec, int64_t max_position_count) {
  ModelConfig config;
  config.layer_count = 2;
  config.vocab_size = 32;
  config.max_position_count = max_position_count;
  std::vector<std::string> fields;
  for (const FieldViolation& wrong : CheckAgainstModel(Complete(spec), config)) {
    fields.push_back(wrong.field);
  }
  return fields;
}

TEST(CheckAgainstModelTest, NamesWindowsBeyondTheContext) {
  EXPECT_THAT(LackingFields(MinimalSpec(), 2048), testing::IsEmpty());
  EXPECT_THAT(
      LackingFields(MinimalSpec(), 300),
      testing::ElementsAre("spec.calibration.window_tokens", "spec.evaluation.window_tokens"));
}

TEST(CheckAgainstModelTest, LeavesRoomForThePrefix) {
  v1::JobSpec spec = ComparisonSpec();
  AddPrefixed(spec, v1::METHOD_RTN_DYNAMIC, {0, 1, 2});
  spec.mutable_evaluation()->set_window_tokens(2045);
  EXPECT_THAT(LackingFields(spec, 2048), testing::IsEmpty());
  spec.mutable_evaluation()->set_window_tokens(2046);
  EXPECT_THAT(LackingFields(spec, 2048), testing::ElementsAre("spec.evaluation.window_tokens"));
  // One token where none is named.
  spec.mutable_baselines(0)->clear_prefix_tokens();
  EXPECT_THAT(LackingFields(spec, 2048), testing::IsEmpty());
  spec.mutable_evaluation()->set_window_tokens(2048);
  EXPECT_THAT(LackingFields(spec, 2048), testing::ElementsAre("spec.evaluation.window_tokens"));
}

TEST(CheckAgainstModelTest, KnowsThatASlidingWindowIsShorter) {
  ModelConfig config;
  config.layer_count = 2;
  config.vocab_size = 32;
  config.max_position_count = 4096;
  config.sliding_window = 1024;
  const std::vector<FieldViolation> wrong = CheckAgainstModel(Complete(MinimalSpec()), config);
  ASSERT_EQ(wrong.size(), 1u);
  EXPECT_EQ(wrong[0].field, "spec.evaluation.window_tokens");
  EXPECT_THAT(wrong[0].description, testing::HasSubstr("want at most 1024"));
}

TEST(CheckAgainstModelTest, NamesSizesWithoutAHadamardMatrix) {
  v1::JobSpec spec = MinimalSpec();
  ModelConfig config;
  config.layer_count = 2;
  config.vocab_size = 32;
  config.max_position_count = 2048;
  config.hidden_size = 576;
  config.head_dim = 64;
  config.intermediate_size = 86;  // 2 x 43
  const auto problems = [&](v1::Rotation rotation) {
    spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
    spec.mutable_recipe()->set_rotation(rotation);
    return CheckAgainstModel(Complete(spec), config);
  };
  EXPECT_THAT(problems(v1::ROTATION_FOLDED), testing::IsEmpty());
  const std::vector<FieldViolation> online = problems(v1::ROTATION_ONLINE);
  ASSERT_EQ(online.size(), 1);
  EXPECT_EQ(online[0].field, "spec.recipe.rotation");
  EXPECT_THAT(online[0].description, testing::HasSubstr("intermediate_size is 86"));
  config.hidden_size = 86;
  EXPECT_EQ(problems(v1::ROTATION_FOLDED).size(), 1);
  EXPECT_THAT(problems(v1::ROTATION_NONE), testing::IsEmpty());
  // In a comparison such a row ends alone.
  v1::JobSpec comparison = ComparisonSpec();
  comparison.add_baselines()->set_method(v1::METHOD_QUAROT);
  EXPECT_THAT(CheckAgainstModel(Complete(comparison), config), testing::IsEmpty());
}

TEST(CheckAgainstModelTest, NamesTokensAndSitesThatTheModelLacks) {
  v1::JobSpec spec = ComparisonSpec();
  AddPrefixed(spec, v1::METHOD_RTN_DYNAMIC, {0, 31});
  spec.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
  spec.mutable_baselines(1)->mutable_sites()->add_float_sites("layers.1.down_in");
  spec.mutable_baselines(1)->mutable_sites()->add_dynamic_sites("*.o_in");
  EXPECT_THAT(LackingFields(spec, 4096), testing::IsEmpty());
  spec.mutable_baselines(0)->set_prefix_tokens(1, 32);
  spec.mutable_baselines(1)->mutable_sites()->add_float_sites("layers.2.down_in");
  spec.mutable_baselines(1)->mutable_sites()->add_dynamic_sites("*.out_in");
  EXPECT_THAT(
      LackingFields(spec, 4096),
      testing::ElementsAre("spec.baselines[0].prefix_tokens", "spec.baselines[1].sites.float_sites",
                           "spec.baselines[1].sites.dynamic_sites",
                           // The float row that was added has the same prefix.
                           "spec.baselines[3].prefix_tokens"));
}

}  // namespace
}  // namespace sasq
