#include "server/recipe_validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::Recipe RecipeOf(const std::string& text_format) {
  v1::Recipe recipe;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text_format, &recipe)) << text_format;
  return recipe;
}

std::vector<FieldViolation> ProblemsOf(const std::string& text_format) {
  FieldChecker check;
  v1::Recipe recipe = RecipeOf(text_format);
  CompleteRecipe("r", recipe, check);
  return check.violations();
}

v1::Recipe Complete(v1::Recipe recipe) {
  FieldChecker check;
  CompleteRecipe("r", recipe, check);
  for (const FieldViolation& wrong : check.violations()) {
    ADD_FAILURE() << wrong.field << " " << wrong.description;
  }
  return recipe;
}

v1::Recipe Complete(const std::string& text_format) { return Complete(RecipeOf(text_format)); }

TEST(CompleteRecipeTest, EveryMethodGetsTheDefaultsOfTheProto) {
  const std::pair<const char*, const char*> cases[] = {
      {"FP", R"(name: "fp")"},
      {"RTN_DYNAMIC", R"(name: "rtn_dynamic" activations: ACTIVATIONS_DYNAMIC)"},
      {"STATIC_ABSMAX", R"(name: "static_absmax" activations: ACTIVATIONS_STATIC
                           scale_rule: SCALE_RULE_ABSMAX_MEAN)"},
      {"STATIC_PERCENTILE", R"(name: "static_percentile" activations: ACTIVATIONS_STATIC
                               scale_rule: SCALE_RULE_PERCENTILE percentile: 99.99)"},
      {"STATIC_MSE", R"(name: "static_mse" activations: ACTIVATIONS_STATIC
                        scale_rule: SCALE_RULE_MSE)"},
      {"SMOOTHQUANT", R"(name: "smoothquant" activations: ACTIVATIONS_STATIC
                         scale_rule: SCALE_RULE_ABSMAX_MAX smoothing {})"},
      {"QUAROT", R"(name: "quarot" activations: ACTIVATIONS_DYNAMIC rotation: ROTATION_ONLINE)"},
      {"SPINQUANT", R"(name: "spinquant" activations: ACTIVATIONS_DYNAMIC rotation: ROTATION_ONLINE
                       training { step_count: 30 window_tokens: 256 learning_rate: 1.5
                                  warmup_step_count: 5 })"},
      {"LLM_QAT", R"(name: "llm_qat" activations: ACTIVATIONS_DYNAMIC
                     training { step_count: 30 window_tokens: 256 learning_rate: 2e-5
                                warmup_step_count: 5 })"},
      {"SASQ", R"(name: "sasq" activations: ACTIVATIONS_STATIC scale_rule: SCALE_RULE_MSE
                  rotation: ROTATION_NONE
                  training { step_count: 60 window_tokens: 256 learning_rate: 0.08
                             warmup_step_count: 5 loss: TRAINING_LOSS_CROSS_ENTROPY })"},
      {"FP_CLIPPED", R"(name: "fp_clipped" activations: ACTIVATIONS_STATIC
                        scale_rule: SCALE_RULE_MSE rotation: ROTATION_NONE
                        training { step_count: 60 window_tokens: 256 learning_rate: 0.08
                                   warmup_step_count: 5 loss: TRAINING_LOSS_CROSS_ENTROPY })"},
  };
  EXPECT_EQ(std::size(cases), v1::Method_descriptor()->value_count() - 1);
  for (const auto& [method, wanted] : cases) {
    const std::string said = std::string("method: METHOD_") + method;
    v1::Recipe expected = RecipeOf(wanted);
    expected.MergeFrom(
        RecipeOf(said + " first_token: FIRST_TOKEN_QUANTIZED activation_bits: 8 weight_bits: 8"));
    const v1::Recipe completed = Complete(said);
    EXPECT_TRUE(MessageDifferencer::Equals(completed, expected)) << completed.DebugString();
  }
}

TEST(CompleteRecipeTest, PresetsAreWrittenOut) {
  const v1::Recipe serve = Complete("preset: PRESET_SASQ_SERVE");
  EXPECT_EQ(serve.method(), v1::METHOD_SASQ);
  EXPECT_EQ(serve.first_token(), v1::FIRST_TOKEN_QUANTIZED);
  EXPECT_EQ(serve.rotation(), v1::ROTATION_FOLDED);
  EXPECT_EQ(serve.sites().max_float_flops(), 0.05);
  EXPECT_EQ(serve.sites().max_dynamic_flops(), 0.10);
  EXPECT_EQ(serve.training().step_count(), 100);
  EXPECT_EQ(serve.training().window_tokens(), 512);
  EXPECT_EQ(serve.training().learning_rate(), 0.05);
  EXPECT_EQ(serve.training().loss(), v1::TRAINING_LOSS_KL_DIVERGENCE);
  EXPECT_EQ(serve.name(), "sasq-serve");
  const v1::Recipe max = Complete("preset: PRESET_SASQ_MAX");
  EXPECT_EQ(max.method(), v1::METHOD_SASQ);
  EXPECT_EQ(max.first_token(), v1::FIRST_TOKEN_PREFIX);
  EXPECT_EQ(max.rotation(), v1::ROTATION_ONLINE);
  EXPECT_FALSE(max.has_sites());
  EXPECT_TRUE(MessageDifferencer::Equals(max.training(), serve.training()));
  EXPECT_EQ(max.name(), "sasq-max");
}

TEST(CompleteRecipeTest, WhatIsSaidBesideAPresetWins) {
  const v1::Recipe recipe = Complete(
      "preset: PRESET_SASQ_SERVE rotation: ROTATION_NONE sites {} training { step_count: 7 }");
  EXPECT_EQ(recipe.rotation(), v1::ROTATION_NONE);
  EXPECT_EQ(recipe.sites().max_float_flops(), 0);
  EXPECT_EQ(recipe.training().step_count(), 7);
  EXPECT_EQ(recipe.name(), "sasq-serve-unrotated-all-static");
  EXPECT_EQ(Complete("preset: PRESET_SASQ_MAX first_token: FIRST_TOKEN_FLOAT").name(),
            "sasq-max-first-token-float");
  EXPECT_EQ(Complete("preset: PRESET_SASQ_MAX first_token: FIRST_TOKEN_QUANTIZED").name(),
            "sasq-max-first-token-quantized");
}

TEST(CompleteRecipeTest, CompletingAgainChangesNothing) {
  std::vector<std::string> recipes = {
      "preset: PRESET_SASQ_SERVE",
      "preset: PRESET_SASQ_MAX",
      "preset: PRESET_SASQ_SERVE sites {}",
      "method: METHOD_SMOOTHQUANT activations: ACTIVATIONS_DYNAMIC smoothing { alpha: 0 }",
      "method: METHOD_SASQ first_token: FIRST_TOKEN_PREFIX prefix_tokens: [0, 5] smoothing {}",
      "method: METHOD_QUAROT activations: ACTIVATIONS_STATIC scale_rule: SCALE_RULE_PERCENTILE"};
  for (int i = 1; i < v1::Method_descriptor()->value_count(); ++i) {
    recipes.push_back("method: " + v1::Method_descriptor()->value(i)->name());
  }
  for (const std::string& text : recipes) {
    const v1::Recipe once = Complete(text);
    const v1::Recipe twice = Complete(once);
    EXPECT_TRUE(MessageDifferencer::Equals(twice, once)) << text << "\n" << twice.DebugString();
  }
}

TEST(CompleteRecipeTest, TheFirstTokenAndRotationsCalmTraining) {
  for (const char* calm : {"first_token: FIRST_TOKEN_FLOAT", "first_token: FIRST_TOKEN_PREFIX"}) {
    const v1::Recipe recipe = Complete(std::string("method: METHOD_SASQ ") + calm);
    EXPECT_EQ(recipe.training().step_count(), 100) << calm;
    EXPECT_EQ(recipe.training().learning_rate(), 0.02) << calm;
  }
  const v1::Recipe rotated = Complete("method: METHOD_SASQ rotation: ROTATION_FOLDED");
  EXPECT_EQ(rotated.training().step_count(), 60);
  EXPECT_EQ(rotated.training().learning_rate(), 0.02);
  const v1::Recipe weights = Complete("method: METHOD_LLM_QAT first_token: FIRST_TOKEN_FLOAT");
  EXPECT_EQ(weights.training().step_count(), 30);
  EXPECT_EQ(weights.training().learning_rate(), 2e-5);
}

TEST(CompleteRecipeTest, NamesTellWhatDiffers) {
  const std::pair<const char*, const char*> cases[] = {
      {"method: METHOD_FP first_token: FIRST_TOKEN_FLOAT", "fp-first-token-float"},
      {"method: METHOD_FP first_token: FIRST_TOKEN_PREFIX", "fp-prefix"},
      {"method: METHOD_STATIC_ABSMAX scale_rule: SCALE_RULE_ABSMAX_MAX",
       "static_absmax-absmax-max"},
      {"method: METHOD_SMOOTHQUANT activations: ACTIVATIONS_DYNAMIC", "smoothquant-dynamic"},
      {"method: METHOD_QUAROT activations: ACTIVATIONS_STATIC", "quarot-static"},
      {"method: METHOD_QUAROT rotation: ROTATION_FOLDED", "quarot-rotated"},
      {"method: METHOD_SASQ rotation: ROTATION_ONLINE smoothing {}", "sasq-hadamard-smoothed"},
      {"method: METHOD_SASQ sites { dynamic_sites: '*.down_in' }", "sasq-mixed"},
      {"method: METHOD_SASQ sites { max_dynamic_flops: 0.1 }", "sasq-mixed"},
      {"method: METHOD_RTN_DYNAMIC activation_bits: 4 weight_bits: 6", "rtn_dynamic-a4-w6"},
      {"method: METHOD_SASQ name: 'a.b_c-1'", "a.b_c-1"},
  };
  for (const auto& [text, name] : cases) EXPECT_EQ(Complete(text).name(), name) << text;
}

TEST(CompleteRecipeTest, ADefaultNameThatIsTooLongIsAskedFor) {
  const auto problems = ProblemsOf(
      "method: METHOD_FP_CLIPPED first_token: FIRST_TOKEN_FLOAT rotation: ROTATION_ONLINE "
      "scale_rule: SCALE_RULE_ABSMAX_MEAN activation_bits: 4");
  ASSERT_EQ(problems.size(), 1);
  EXPECT_EQ(problems[0].field, "r.name");
  EXPECT_THAT(problems[0].description, testing::HasSubstr("name the row"));
}

TEST(CompleteRecipeTest, RefusesWhatAMethodDoesNotKnow) {
  const std::pair<const char*, const char*> cases[] = {
      {"r.preset", "preset: 9"},
      {"r.method", ""},
      {"r.method", "preset: PRESET_SASQ_MAX method: METHOD_QUAROT"},
      {"r.training", "method: METHOD_QUAROT training {}"},
      {"r.training", "method: METHOD_SMOOTHQUANT training { step_count: 3 }"},
      {"r.training.loss",
       "method: METHOD_SPINQUANT training { loss: TRAINING_LOSS_KL_DIVERGENCE }"},
      {"r.activations", "method: METHOD_FP activations: ACTIVATIONS_STATIC"},
      {"r.activations", "method: METHOD_SASQ activations: ACTIVATIONS_DYNAMIC"},
      {"r.scale_rule", "method: METHOD_FP scale_rule: SCALE_RULE_MSE"},
      {"r.scale_rule", "method: METHOD_QUAROT scale_rule: SCALE_RULE_MSE"},
      {"r.scale_rule", "method: METHOD_STATIC_MSE scale_rule: SCALE_RULE_ABSMAX_MAX"},
      {"r.scale_rule", "method: METHOD_STATIC_ABSMAX scale_rule: SCALE_RULE_MSE"},
      {"r.percentile", "method: METHOD_STATIC_MSE percentile: 99"},
      {"r.percentile", "method: METHOD_STATIC_PERCENTILE percentile: 49.9"},
      {"r.percentile", "method: METHOD_STATIC_PERCENTILE percentile: 100.1"},
      {"r.percentile", "method: METHOD_STATIC_PERCENTILE percentile: nan"},
      {"r.rotation", "method: METHOD_STATIC_MSE rotation: ROTATION_FOLDED"},
      {"r.rotation", "method: METHOD_LLM_QAT rotation: ROTATION_ONLINE"},
      {"r.rotation", "method: METHOD_QUAROT rotation: ROTATION_NONE"},
      {"r.smoothing", "method: METHOD_QUAROT smoothing {}"},
      {"r.smoothing", "method: METHOD_FP_CLIPPED smoothing {}"},
      {"r.smoothing.alpha", "method: METHOD_SMOOTHQUANT smoothing { alpha: 1.1 }"},
      {"r.smoothing.alpha", "method: METHOD_SMOOTHQUANT smoothing { alpha: nan }"},
      {"r.smoothing.include_down",
       "method: METHOD_SASQ rotation: ROTATION_ONLINE smoothing { include_down: true }"},
      {"r.sites", "method: METHOD_RTN_DYNAMIC sites {}"},
      {"r.sites", "method: METHOD_QUAROT sites { max_float_flops: 0.1 }"},
      {"r.sites", "method: METHOD_FP_CLIPPED sites { max_float_flops: 0.1 }"},
      {"r.sites.float_sites", "method: METHOD_SASQ sites { float_sites: '' }"},
      {"r.sites.float_sites", "method: METHOD_SASQ sites { float_sites: 'a\\tb' }"},
      {"r.sites.dynamic_sites", "method: METHOD_SASQ sites { dynamic_sites: 'a\\nb' }"},
      {"r.sites.max_float_flops", "method: METHOD_SASQ sites { max_float_flops: 1.5 }"},
      {"r.sites.max_dynamic_flops", "method: METHOD_SASQ sites { max_dynamic_flops: -1 }"},
      {"r.activation_bits", "method: METHOD_SASQ activation_bits: 3"},
      {"r.activation_bits", "method: METHOD_SASQ activation_bits: 9"},
      {"r.activation_bits", "method: METHOD_FP activation_bits: 4"},
      {"r.weight_bits", "method: METHOD_FP_CLIPPED weight_bits: 4"},
      {"r.weight_bits", "method: METHOD_SASQ weight_bits: 2"},
      {"r.prefix_tokens", "method: METHOD_SASQ prefix_tokens: 1"},
      {"r.prefix_tokens", "method: METHOD_SASQ first_token: FIRST_TOKEN_PREFIX prefix_tokens: -1"},
      {"r.prefix_tokens",
       "method: METHOD_SASQ first_token: FIRST_TOKEN_PREFIX "
       "prefix_tokens: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]"},
      {"r.name", "method: METHOD_SASQ name: '-a'"},
      {"r.name", "method: METHOD_SASQ name: 'Sasq'"},
      {"r.name", "method: METHOD_SASQ name: 'sasq of mine'"},
      {"r.training.learning_rate", "method: METHOD_SASQ training { learning_rate: 1.5 }"},
      {"r.training.learning_rate", "method: METHOD_SPINQUANT training { learning_rate: 10.5 }"},
  };
  for (const auto& [field, text] : cases) {
    const auto problems = ProblemsOf(text);
    ASSERT_EQ(problems.size(), 1) << text;
    EXPECT_EQ(problems[0].field, field) << text << ": " << problems[0].description;
  }
  EXPECT_EQ(
      ProblemsOf(absl::StrCat("method: METHOD_SASQ name: '", std::string(49, 'x'), "'")).size(), 1);
  v1::Recipe patterns = RecipeOf("method: METHOD_SASQ");
  for (int i = 0; i < 257; ++i) patterns.mutable_sites()->add_float_sites(absl::StrCat("s", i));
  EXPECT_EQ(ProblemsOf(patterns.ShortDebugString()).size(), 1);
}

TEST(CompleteRecipeTest, TellsStaticScalesAndTraining) {
  std::set<std::string> packed, trained;
  for (int i = 1; i < v1::Method_descriptor()->value_count(); ++i) {
    const v1::Recipe recipe = Complete("method: " + v1::Method_descriptor()->value(i)->name());
    if (HasStaticScales(recipe)) packed.insert(recipe.name());
    if (Trains(recipe)) trained.insert(recipe.name());
    EXPECT_EQ(Trains(recipe), recipe.has_training());
  }
  EXPECT_THAT(packed, testing::ElementsAre("sasq", "smoothquant", "static_absmax", "static_mse",
                                           "static_percentile"));
  EXPECT_THAT(trained, testing::ElementsAre("fp_clipped", "llm_qat", "sasq", "spinquant"));
  EXPECT_TRUE(HasStaticScales(Complete("method: METHOD_QUAROT activations: ACTIVATIONS_STATIC")));
}

}  // namespace
}  // namespace sasq
