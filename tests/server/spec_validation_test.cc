#include "server/spec_validation.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "tests/server/test_jobs.h"

namespace sasq {
namespace {

using google::protobuf::util::MessageDifferencer;

v1::JobSpec Complete(const v1::JobSpec& spec) {
  const absl::StatusOr<v1::JobSpec> completed = CompleteSpec(spec);
  EXPECT_TRUE(completed.ok()) << completed.status();
  return completed.ok() ? *completed : v1::JobSpec();
}

// "SASQ/QUANTIZED" ...: the rows that a spec asks for.
std::vector<std::string> Baselines(const v1::JobSpec& spec) {
  std::vector<std::string> names;
  for (const v1::Recipe& recipe : spec.baselines()) {
    names.push_back(v1::Method_Name(recipe.method()).substr(7) + "/" +
                    v1::FirstToken_Name(recipe.first_token()).substr(12));
  }
  return names;
}

TEST(CompleteSpecTest, WritesTheDefaultsOfTheProtoOut) {
  const v1::JobSpec spec = Complete(MinimalSpec());
  EXPECT_EQ(spec.training_text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.evaluation_text().layout(), v1::TEXT_LAYOUT_PLAIN);
  EXPECT_EQ(spec.recipe().method(), v1::METHOD_SASQ);
  EXPECT_EQ(spec.recipe().first_token(), v1::FIRST_TOKEN_QUANTIZED);
  EXPECT_EQ(spec.recipe().training().step_count(), 60);
  EXPECT_EQ(spec.recipe().training().window_tokens(), 256);
  EXPECT_EQ(spec.recipe().training().learning_rate(), 0.08);
  EXPECT_EQ(spec.recipe().training().warmup_step_count(), 5);
  EXPECT_EQ(spec.recipe().training().initial_scales(), v1::INITIAL_SCALES_MSE);
  EXPECT_THAT(Baselines(spec),
              testing::ElementsAre("FP/QUANTIZED", "RTN_DYNAMIC/QUANTIZED",
                                   "STATIC_ABSMAX/QUANTIZED", "STATIC_MSE/QUANTIZED"));
  EXPECT_EQ(spec.calibration().window_count(), 32);
  EXPECT_EQ(spec.calibration().window_tokens(), 512);
  EXPECT_TRUE(spec.evaluation().has_window_count());
  EXPECT_EQ(spec.evaluation().window_count(), 4);
  EXPECT_EQ(spec.evaluation().window_tokens(), 2048);
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
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("FP/FLOAT", "RTN_DYNAMIC/FLOAT",
                                                    "STATIC_ABSMAX/FLOAT", "STATIC_MSE/FLOAT"));
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
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("FP/QUANTIZED", "RTN_DYNAMIC/QUANTIZED",
                                                    "STATIC_ABSMAX/QUANTIZED"));
}

TEST(CompleteSpecTest, AddsTheFloatRowThatIsScoredOnTheSameTokens) {
  v1::JobSpec spec = MinimalSpec();
  v1::Recipe* baseline = spec.add_baselines();
  baseline->set_method(v1::METHOD_SASQ);
  baseline->set_first_token(v1::FIRST_TOKEN_FLOAT);
  spec = Complete(spec);
  EXPECT_THAT(Baselines(spec), testing::ElementsAre("SASQ/FLOAT", "FP/QUANTIZED", "FP/FLOAT"));
  EXPECT_EQ(spec.baselines(0).training().step_count(), 100);
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
      {"spec.recipe.training.initial_scales",
       [=](auto& s) { training(s)->set_initial_scales(static_cast<v1::InitialScales>(5)); }},
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

TEST(CheckWindowsTest, NamesWindowsBeyondTheContext) {
  const v1::JobSpec spec = Complete(MinimalSpec());
  EXPECT_THAT(CheckWindows(spec, 2048), testing::IsEmpty());
  const std::vector<FieldViolation> wrong = CheckWindows(spec, 300);
  ASSERT_EQ(wrong.size(), 2);
  EXPECT_EQ(wrong[0].field, "spec.calibration.window_tokens");
  EXPECT_EQ(wrong[1].field, "spec.evaluation.window_tokens");
}

}  // namespace
}  // namespace sasq
