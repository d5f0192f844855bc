#include "server/spec_validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/server/test_specs.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;

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
  EXPECT_THAT(Baselines(spec),
              testing::ElementsAre("fp", "rtn_dynamic", "static_absmax", "static_percentile",
                                   "static_mse", "smoothquant", "quarot", "spinquant", "llm_qat",
                                   "sasq", "fp_clipped", "sasq-serve", "sasq-max", "fp-prefix"));
  EXPECT_EQ(spec.evaluation().decode_window_count(), 2);
  EXPECT_EQ(spec.evaluation().agreement_window_count(), 2);
}

TEST(CompleteSpecTest, AComparisonMeasuresWhatItsRowsAreAsked) {
  v1::JobSpec spec = ComparisonSpec();
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_MAX);
  spec.mutable_evaluation()->set_window_count(1);
  spec.mutable_evaluation()->set_agreement_window_count(0);
  spec = Complete(spec);
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("sasq-max", "fp-prefix"));
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

TEST(CompleteSpecTest, RowsThatNameNoPrefixTakeTheJobsOne) {
  v1::JobSpec spec = ComparisonSpec();
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_MAX);
  AddPrefixed(spec, v1::METHOD_STATIC_MSE, {3, 4});
  spec = Complete(spec);
  ASSERT_THAT(Baselines(spec), testing::ElementsAre("sasq-max", "static_mse-prefix", "fp-prefix"));
  for (const v1::Recipe& row : spec.baselines()) {
    EXPECT_THAT(row.prefix_tokens(), testing::ElementsAre(3, 4)) << row.name();
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

TEST(CompleteSpecTest, KnowsEverySource) {
  v1::JobSpec spec = MinimalSpec();
  for (const char* uri :
       {"file:/data/model", "hf:org/name", "hf:org/name@v1", "s3://bucket/prefix"}) {
    spec.mutable_model()->set_uri(uri);
    EXPECT_EQ(Complete(spec).model().uri(), uri);
  }
  *UploadedModel(spec).add_files() = Uploaded("config.json");
  spec.mutable_training_text()->set_uri("upload:train.txt");
  *spec.mutable_training_text()->mutable_file() = Uploaded("train.txt");
  spec.mutable_evaluation_text()->set_uri("hf:datasets/org/name@main/test.txt");
  EXPECT_EQ(Complete(spec).model().files_size(), 1);
}

TEST(CompleteSpecTest, JsonLinesHaveAField) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_training_text()->set_layout(v1::TEXT_LAYOUT_JSON_LINES);
  EXPECT_EQ(Complete(spec).training_text().json_field(), "text");
  EXPECT_EQ(Complete(spec).evaluation_text().json_field(), "");
  spec.mutable_training_text()->set_json_field("body");
  EXPECT_EQ(Complete(spec).training_text().json_field(), "body");
}

}  // namespace
}  // namespace sasq
