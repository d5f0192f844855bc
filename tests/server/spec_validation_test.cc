#include "server/spec_validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/server/test_jobs.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::JobSpec Complete(const v1::JobSpec& spec) {
  const absl::StatusOr<v1::JobSpec> completed = CompleteSpec(spec);
  EXPECT_TRUE(completed.ok()) << completed.status();
  return completed.ok() ? *completed : v1::JobSpec();
}

// The names of the baselines.
std::vector<std::string> Baselines(const v1::JobSpec& spec) {
  std::vector<std::string> names;
  for (const v1::Recipe& recipe : spec.baselines()) names.push_back(recipe.name());
  return names;
}

v1::NamedText Named(const std::string& name, const std::string& uri = "file:/nowhere/text") {
  v1::NamedText text;
  text.set_name(name);
  text.mutable_text()->set_uri(uri);
  return text;
}

v1::JobSpec ComparisonSpec() {
  v1::JobSpec spec = MinimalSpec();
  spec.set_kind(v1::JOB_KIND_COMPARE);
  return spec;
}

v1::Recipe* AddPrefixed(v1::JobSpec& spec, v1::Method method, std::vector<int32_t> tokens) {
  v1::Recipe* recipe = spec.add_baselines();
  recipe->set_method(method);
  recipe->set_first_token(v1::FIRST_TOKEN_PREFIX);
  for (const int32_t token : tokens) recipe->add_prefix_tokens(token);
  return recipe;
}

TEST(CompleteSpecTest, WritesTheDefaultsOfTheProtoOut) {
  const v1::JobSpec spec = Complete(MinimalSpec());
  EXPECT_EQ(spec.kind(), v1::JOB_KIND_QUANTIZE);
  EXPECT_EQ(spec.training_text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.evaluation_text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.recipe().method(), v1::METHOD_SASQ);
  EXPECT_EQ(spec.recipe().first_token(), v1::FIRST_TOKEN_QUANTIZED);
  EXPECT_EQ(spec.recipe().training().step_count(), 60);
  EXPECT_EQ(spec.recipe().training().window_tokens(), 256);
  EXPECT_EQ(spec.recipe().training().learning_rate(), 0.08);
  EXPECT_EQ(spec.recipe().training().warmup_step_count(), 5);
  EXPECT_EQ(spec.recipe().scale_rule(), v1::SCALE_RULE_MSE);
  EXPECT_EQ(spec.recipe().name(), "sasq");
  EXPECT_THAT(Baselines(spec),
              testing::ElementsAre("fp", "rtn_dynamic", "static_absmax", "static_mse"));
  EXPECT_EQ(spec.calibration().window_count(), 32);
  EXPECT_EQ(spec.calibration().window_tokens(), 512);
  EXPECT_TRUE(spec.evaluation().has_window_count());
  EXPECT_EQ(spec.evaluation().window_count(), 4);
  EXPECT_EQ(spec.evaluation().window_tokens(), 2048);
  EXPECT_EQ(spec.evaluation().stride_tokens(), 2048);
  EXPECT_TRUE(spec.evaluation().has_decode_window_count());
  EXPECT_EQ(spec.evaluation().decode_window_count(), 0);
  EXPECT_EQ(spec.evaluation().agreement_window_count(), 0);
  EXPECT_EQ(spec.evaluation().generated_tokens(), 32);
  EXPECT_FALSE(spec.evaluation().has_prompts());
  EXPECT_EQ(spec.max_attempts(), 3);
  EXPECT_EQ(spec.device_kind(), v1::DEVICE_KIND_UNSPECIFIED);
}

TEST(CompleteSpecTest, FirstTokenInFloatHasItsOwnDefaults) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  spec.mutable_recipe()->set_first_token(v1::FIRST_TOKEN_FLOAT);
  spec = Complete(spec);
  EXPECT_EQ(spec.recipe().training().step_count(), 100);
  EXPECT_EQ(spec.recipe().training().learning_rate(), 0.02);
  EXPECT_EQ(spec.recipe().name(), "sasq-first-token-float");
  EXPECT_THAT(
      Baselines(spec),
      testing::ElementsAre("fp-first-token-float", "rtn_dynamic-first-token-float",
                           "static_absmax-first-token-float", "static_mse-first-token-float"));
}

TEST(CompleteSpecTest, WarmupIsNoLongerThanTraining) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  spec.mutable_recipe()->mutable_training()->set_step_count(3);
  EXPECT_EQ(Complete(spec).recipe().training().warmup_step_count(), 3);
  spec.mutable_recipe()->mutable_training()->set_warmup_step_count(0);
  EXPECT_EQ(Complete(spec).recipe().training().warmup_step_count(), 0);
}

TEST(CompleteSpecTest, RecipeIsNotItsOwnBaseline) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_recipe()->set_method(v1::METHOD_STATIC_MSE);
  spec = Complete(spec);
  EXPECT_FALSE(spec.recipe().has_training());
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("fp", "rtn_dynamic", "static_absmax"));
}

TEST(CompleteSpecTest, AddsTheFloatRowThatIsScoredOnTheSameTokens) {
  v1::JobSpec spec = MinimalSpec();
  v1::Recipe* baseline = spec.add_baselines();
  baseline->set_method(v1::METHOD_SASQ);
  baseline->set_first_token(v1::FIRST_TOKEN_FLOAT);
  spec = Complete(spec);
  EXPECT_THAT(Baselines(spec),
              testing::ElementsAre("sasq-first-token-float", "fp", "fp-first-token-float"));
  EXPECT_EQ(spec.baselines(0).training().step_count(), 100);
}

TEST(CompleteSpecTest, AComparisonHasEveryMethodAndBothPresets) {
  const v1::JobSpec spec = Complete(ComparisonSpec());
  EXPECT_FALSE(spec.has_recipe());
  EXPECT_THAT(
      Baselines(spec),
      testing::ElementsAre("fp", "rtn_dynamic", "static_absmax", "static_percentile", "static_mse",
                           "smoothquant", "quarot", "spinquant", "llm_qat", "sasq", "fp_clipped",
                           "sasq-serve", "sasq-max", "fp-first-token-float"));
  EXPECT_EQ(spec.evaluation().decode_window_count(), 2);
  EXPECT_EQ(spec.evaluation().agreement_window_count(), 2);
}

TEST(CompleteSpecTest, AComparisonMeasuresWhatItsRowsAreAsked) {
  v1::JobSpec spec = ComparisonSpec();
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_MAX);
  spec.mutable_evaluation()->set_window_count(1);
  spec.mutable_evaluation()->set_agreement_window_count(0);
  spec = Complete(spec);
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("sasq-max", "fp-first-token-float"));
  EXPECT_EQ(spec.evaluation().decode_window_count(), 1) << "no more than there are windows";
  EXPECT_EQ(spec.evaluation().agreement_window_count(), 0);
}

TEST(CompleteSpecTest, AllWindowsAreMoreThanAnyCount) {
  v1::JobSpec spec = ComparisonSpec();
  spec.mutable_evaluation()->set_window_count(0);
  spec.mutable_evaluation()->set_agreement_window_count(500);
  spec = Complete(spec);
  EXPECT_EQ(spec.evaluation().decode_window_count(), 2);
  EXPECT_EQ(spec.evaluation().agreement_window_count(), 500);
}

TEST(CompleteSpecTest, TheFloatRowOfAPrefixHasThePrefix) {
  v1::JobSpec spec = ComparisonSpec();
  AddPrefixed(spec, v1::METHOD_SASQ, {3, 4});
  spec = Complete(spec);
  ASSERT_THAT(Baselines(spec), testing::ElementsAre("sasq-prefix", "fp-prefix"));
  EXPECT_THAT(spec.baselines(1).prefix_tokens(), testing::ElementsAre(3, 4));

  v1::JobSpec quantize = MinimalSpec();
  *quantize.mutable_recipe() = spec.baselines(0);
  quantize = Complete(quantize);
  for (const v1::Recipe& baseline : quantize.baselines()) {
    EXPECT_THAT(baseline.prefix_tokens(), testing::ElementsAre(3, 4)) << baseline.name();
  }
}

TEST(CompleteSpecTest, TextsTasksAndPromptsAreWrittenOut) {
  v1::JobSpec spec = MinimalSpec();
  v1::EvaluationOptions& evaluation = *spec.mutable_evaluation();
  *evaluation.add_other_texts() = Named("code");
  *evaluation.add_tasks() = Named("code");  // names are unique in their list
  evaluation.mutable_prompts()->set_uri("file:/nowhere/prompts.jsonl");
  spec = Complete(spec);
  EXPECT_EQ(spec.evaluation().other_texts(0).text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.evaluation().tasks(0).text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.evaluation().prompts().layout(), v1::TEXT_LAYOUT_PLAIN);
}

TEST(CompleteSpecTest, GatesBringTheRowsAndWindowsThatTheyNeed) {
  v1::JobSpec spec = MinimalSpec();
  spec.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
  spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
  spec.mutable_recipe()->set_activation_bits(6);
  spec.mutable_recipe()->set_first_token(v1::FIRST_TOKEN_FLOAT);
  spec.mutable_gates()->set_max_perplexity_increase_over_dynamic(0);
  spec.mutable_gates()->set_max_kl_divergence(0.05);
  const v1::JobSpec completed = Complete(spec);
  EXPECT_THAT(Baselines(completed),
              testing::ElementsAre("static_mse", "rtn_dynamic-first-token-float-a6", "fp",
                                   "fp-first-token-float"));
  EXPECT_EQ(completed.baselines(1).first_token(), v1::FIRST_TOKEN_FLOAT);
  EXPECT_EQ(completed.baselines(1).activation_bits(), 6);
  EXPECT_EQ(completed.evaluation().agreement_window_count(), 2);
  EXPECT_TRUE(completed.gates().has_max_perplexity_increase_over_dynamic()) << "a bound of 0";
  EXPECT_TRUE(MessageDifferencer::Equals(Complete(completed), completed));

  v1::JobSpec by_default = MinimalSpec();
  by_default.mutable_gates()->set_max_perplexity_increase_over_dynamic(0.01);
  EXPECT_THAT(Baselines(Complete(by_default)),
              testing::ElementsAre("fp", "rtn_dynamic", "static_absmax", "static_mse"));
  EXPECT_EQ(Complete(by_default).evaluation().agreement_window_count(), 0);

  v1::JobSpec without = MinimalSpec();
  without.mutable_gates();
  EXPECT_FALSE(Complete(without).has_gates());
  without.set_kind(v1::JOB_KIND_COMPARE);
  EXPECT_FALSE(Complete(without).has_gates());
}

TEST(CompleteSpecTest, CompletingAgainChangesNothing) {
  v1::JobSpec spec = MinimalSpec();
  spec.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
  spec.mutable_evaluation()->set_window_count(0);
  const v1::JobSpec once = Complete(spec);
  EXPECT_EQ(once.evaluation().window_count(), 0);
  EXPECT_TRUE(MessageDifferencer::Equals(Complete(once), once));
  EXPECT_EQ(SpecFingerprint(Complete(once)), SpecFingerprint(once));
  EXPECT_NE(SpecFingerprint(once), SpecFingerprint(Complete(MinimalSpec())));
  const v1::JobSpec comparison = Complete(ComparisonSpec());
  EXPECT_TRUE(MessageDifferencer::Equals(Complete(comparison), comparison));
}

// A change that makes a good spec wrong, and the field that must be named.
struct WrongSpec {
  const char* field;
  std::function<void(v1::JobSpec&)> spoil;
};

std::vector<WrongSpec> WrongSpecs() {
  const auto training = [](v1::JobSpec& spec) {
    spec.mutable_recipe()->set_method(v1::METHOD_SASQ);
    return spec.mutable_recipe()->mutable_training();
  };
  return {
      {"spec.display_name", [](auto& s) { s.set_display_name(std::string(129, 'x')); }},
      {"spec.display_name", [](auto& s) { s.set_display_name("clear\x1b[2J"); }},
      {"spec.display_name", [](auto& s) { s.set_display_name("\xc0\xaf"); }},
      {"spec.model.uri", [](auto& s) { s.clear_model(); }},
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("/no/scheme"); }},
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("http://a/b"); }},
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("file:relative"); }},
      {"spec.model.uri",
       [](auto& s) { s.mutable_model()->set_uri("file:/" + std::string(4096, 'x')); }},
      {"spec.training_text.uri", [](auto& s) { s.clear_training_text(); }},
      {"spec.evaluation_text.uri", [](auto& s) { s.clear_evaluation_text(); }},
      {"spec.evaluation_text.layout",
       [](auto& s) { s.mutable_evaluation_text()->set_layout(static_cast<v1::TextLayout>(9)); }},
      {"spec.recipe.method", [](auto& s) { s.mutable_recipe(); }},
      {"spec.recipe.method", [](auto& s) { s.mutable_recipe()->set_method(v1::METHOD_FP); }},
      {"spec.recipe.method",
       [](auto& s) { s.mutable_recipe()->set_method(v1::METHOD_RTN_DYNAMIC); }},
      {"spec.recipe.method",
       [](auto& s) { s.mutable_recipe()->set_method(static_cast<v1::Method>(77)); }},
      {"spec.recipe.first_token",
       [](auto& s) {
         s.mutable_recipe()->set_method(v1::METHOD_SASQ);
         s.mutable_recipe()->set_first_token(static_cast<v1::FirstToken>(77));
       }},
      {"spec.recipe.training",
       [](auto& s) {
         s.mutable_recipe()->set_method(v1::METHOD_STATIC_MSE);
         s.mutable_recipe()->mutable_training()->set_step_count(5);
       }},
      {"spec.recipe.training.step_count", [=](auto& s) { training(s)->set_step_count(-1); }},
      {"spec.recipe.training.step_count", [=](auto& s) { training(s)->set_step_count(100'001); }},
      {"spec.recipe.training.window_tokens", [=](auto& s) { training(s)->set_window_tokens(7); }},
      {"spec.recipe.training.window_tokens",
       [=](auto& s) { training(s)->set_window_tokens(32'769); }},
      {"spec.recipe.training.learning_rate",
       [=](auto& s) { training(s)->set_learning_rate(-0.1); }},
      {"spec.recipe.training.learning_rate", [=](auto& s) { training(s)->set_learning_rate(1.5); }},
      {"spec.recipe.training.learning_rate",
       [=](auto& s) { training(s)->set_learning_rate(std::numeric_limits<double>::quiet_NaN()); }},
      {"spec.recipe.training.warmup_step_count",
       [=](auto& s) { training(s)->set_warmup_step_count(61); }},
      {"spec.recipe.scale_rule",
       [=](auto& s) {
         training(s);
         s.mutable_recipe()->set_scale_rule(static_cast<v1::ScaleRule>(9));
       }},
      {"spec.recipe.training.loss",
       [=](auto& s) { training(s)->set_loss(static_cast<v1::TrainingLoss>(9)); }},
      {"spec.recipe.method",
       [](auto& s) { s.mutable_recipe()->set_method(v1::METHOD_FP_CLIPPED); }},
      {"spec.recipe.method", [](auto& s) { s.mutable_recipe()->set_method(v1::METHOD_QUAROT); }},
      {"spec.kind", [](auto& s) { s.set_kind(static_cast<v1::JobKind>(9)); }},
      {"spec.recipe",
       [](auto& s) {
         s.set_kind(v1::JOB_KIND_COMPARE);
         s.mutable_recipe()->set_method(v1::METHOD_SASQ);
       }},
      {"spec.baselines[0].method", [](auto& s) { s.add_baselines(); }},
      {"spec.baselines[0].training",
       [](auto& s) {
         s.add_baselines()->set_method(v1::METHOD_FP);
         s.mutable_baselines(0)->mutable_training();
       }},
      {"spec.baselines[0]", [](auto& s) { s.add_baselines()->set_method(v1::METHOD_SASQ); }},
      {"spec.baselines[1]",
       [](auto& s) {
         s.add_baselines()->set_method(v1::METHOD_FP);
         s.add_baselines()->set_method(v1::METHOD_FP);
       }},
      {"spec.baselines",
       [](auto& s) {
         for (int i = 0; i < 33; ++i) s.add_baselines()->set_method(v1::METHOD_FP);
       }},
      {"spec.baselines",  // a SASQ row that has taken the float row's name
       [](auto& s) {
         s.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
         s.mutable_baselines(0)->set_name("fp");
       }},
      {"spec.baselines",  // 33 with the float row
       [](auto& s) {
         for (int i = 0; i < 32; ++i) {
           s.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
           s.mutable_baselines(i)->set_name(absl::StrCat("mse", i));
         }
       }},
      {"spec.baselines[1].prefix_tokens",
       [](auto& s) {
         AddPrefixed(s, v1::METHOD_STATIC_MSE, {1});
         AddPrefixed(s, v1::METHOD_SASQ, {1, 2});
       }},
      {"spec.evaluation.stride_tokens",
       [](auto& s) { s.mutable_evaluation()->set_stride_tokens(2049); }},
      {"spec.evaluation.decode_window_count",
       [](auto& s) { s.mutable_evaluation()->set_decode_window_count(5); }},
      {"spec.evaluation.agreement_window_count",
       [](auto& s) { s.mutable_evaluation()->set_agreement_window_count(-1); }},
      {"spec.evaluation.generated_tokens",
       [](auto& s) { s.mutable_evaluation()->set_generated_tokens(1025); }},
      {"spec.evaluation.prompts.uri", [](auto& s) { s.mutable_evaluation()->mutable_prompts(); }},
      {"spec.evaluation.other_texts[0].name",
       [](auto& s) { *s.mutable_evaluation()->add_other_texts() = Named("Code"); }},
      {"spec.evaluation.other_texts[0].text.uri",
       [](auto& s) { *s.mutable_evaluation()->add_other_texts() = Named("code", "code.txt"); }},
      {"spec.evaluation.other_texts",
       [](auto& s) {
         for (int i = 0; i < 9; ++i) {
           *s.mutable_evaluation()->add_other_texts() = Named(absl::StrCat("t", i));
         }
       }},
      {"spec.evaluation.tasks[1].name",
       [](auto& s) {
         *s.mutable_evaluation()->add_tasks() = Named("facts");
         *s.mutable_evaluation()->add_tasks() = Named("facts");
       }},
      {"spec.evaluation.tasks[0].name",
       [](auto& s) { *s.mutable_evaluation()->add_tasks() = Named(std::string(33, 'x')); }},
      {"spec.calibration.window_count",
       [](auto& s) { s.mutable_calibration()->set_window_count(4097); }},
      {"spec.calibration.window_tokens",
       [](auto& s) { s.mutable_calibration()->set_window_tokens(4); }},
      {"spec.evaluation.window_count",
       [](auto& s) { s.mutable_evaluation()->set_window_count(-1); }},
      {"spec.evaluation.window_count",
       [](auto& s) { s.mutable_evaluation()->set_window_count(1'000'001); }},
      {"spec.evaluation.window_tokens",
       [](auto& s) { s.mutable_evaluation()->set_window_tokens(4); }},
      {"spec.gates",
       [](auto& s) {
         s.set_kind(v1::JOB_KIND_COMPARE);
         s.mutable_gates()->set_max_perplexity(20);
       }},
      {"spec.gates.max_perplexity_increase",
       [](auto& s) { s.mutable_gates()->set_max_perplexity_increase(-1.5); }},
      {"spec.gates.max_perplexity_increase_over_dynamic",
       [](auto& s) { s.mutable_gates()->set_max_perplexity_increase_over_dynamic(1001); }},
      {"spec.gates.max_perplexity", [](auto& s) { s.mutable_gates()->set_max_perplexity(0.5); }},
      {"spec.gates.min_top1_agreement",
       [](auto& s) { s.mutable_gates()->set_min_top1_agreement(95); }},
      {"spec.gates.max_kl_divergence",
       [](auto& s) {
         s.mutable_gates()->set_max_kl_divergence(std::numeric_limits<double>::quiet_NaN());
       }},
      {"spec.evaluation.agreement_window_count",
       [](auto& s) {
         s.mutable_gates()->set_max_kl_divergence(0.05);
         s.mutable_evaluation()->set_agreement_window_count(0);
       }},
      {"spec.baselines",  // a name that the row to compare with would have
       [](auto& s) {
         s.mutable_gates()->set_max_perplexity_increase_over_dynamic(0);
         s.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
         s.mutable_baselines(0)->set_name("rtn_dynamic");
       }},
      {"spec.gates.other_texts[0].name",
       [](auto& s) {
         s.mutable_gates()->add_other_texts()->set_name("code");
         s.mutable_gates()->mutable_other_texts(0)->set_max_perplexity(9);
       }},
      {"spec.gates.other_texts[1].name",
       [](auto& s) {
         *s.mutable_evaluation()->add_other_texts() = Named("code");
         for (int i = 0; i < 2; ++i) {
           s.mutable_gates()->add_other_texts()->set_name("code");
           s.mutable_gates()->mutable_other_texts(i)->set_max_perplexity(9);
         }
       }},
      {"spec.gates.other_texts[0]",
       [](auto& s) {
         *s.mutable_evaluation()->add_other_texts() = Named("code");
         s.mutable_gates()->add_other_texts()->set_name("code");
       }},
      {"spec.gates.other_texts[0].max_perplexity",
       [](auto& s) {
         *s.mutable_evaluation()->add_other_texts() = Named("code");
         s.mutable_gates()->add_other_texts()->set_name("code");
         s.mutable_gates()->mutable_other_texts(0)->set_max_perplexity(0);
       }},
      {"spec.max_attempts", [](auto& s) { s.set_max_attempts(11); }},
      {"spec.max_attempts", [](auto& s) { s.set_max_attempts(-1); }},
      {"spec.device_kind", [](auto& s) { s.set_device_kind(static_cast<v1::DeviceKind>(9)); }},
      {"spec.seed", [](auto& s) { s.set_seed(-1); }},
  };
}

TEST(CompleteSpecTest, NamesTheOneWrongField) {
  for (const WrongSpec& wrong : WrongSpecs()) {
    v1::JobSpec spec = MinimalSpec();
    wrong.spoil(spec);
    const absl::Status status = CompleteSpec(spec).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << wrong.field;
    EXPECT_EQ(ReasonOf(status), "INVALID_SPEC");
    const std::vector<FieldViolation> violations = FieldViolationsOf(status);
    ASSERT_EQ(violations.size(), 1) << wrong.field << ": " << status;
    EXPECT_EQ(violations[0].field, wrong.field) << status;
  }
}

TEST(CompleteSpecTest, ListsEveryWrongFieldAtOnce) {
  v1::JobSpec spec;
  spec.set_seed(-5);
  const absl::Status status = CompleteSpec(spec).status();
  EXPECT_EQ(FieldViolationsOf(status).size(), 4);  // model, two texts, seed
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("spec.seed is -5, want 0.."));
}

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

TEST(CheckAgainstModelTest, NamesTokensAndSitesThatTheModelLacks) {
  v1::JobSpec spec = ComparisonSpec();
  AddPrefixed(spec, v1::METHOD_RTN_DYNAMIC, {0, 31});
  spec.add_baselines()->set_method(v1::METHOD_STATIC_MSE);
  spec.mutable_baselines(1)->mutable_sites()->add_float_sites("layers.1.down_in");
  spec.mutable_baselines(1)->mutable_sites()->add_dynamic_sites("*.o_in");
  EXPECT_THAT(LackingFields(spec, 2048), testing::IsEmpty());
  spec.mutable_baselines(0)->set_prefix_tokens(1, 32);
  spec.mutable_baselines(1)->mutable_sites()->add_float_sites("layers.2.down_in");
  spec.mutable_baselines(1)->mutable_sites()->add_dynamic_sites("*.out_in");
  EXPECT_THAT(
      LackingFields(spec, 2048),
      testing::ElementsAre("spec.baselines[0].prefix_tokens", "spec.baselines[1].sites.float_sites",
                           "spec.baselines[1].sites.dynamic_sites",
                           // The float row that was added has the same prefix.
                           "spec.baselines[3].prefix_tokens"));
}

}  // namespace
}  // namespace sasq
