// Specs that CompleteSpec refuses, one wrong field each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/spec_validation.h"
#include "tests/server/test_specs.h"

namespace sasq {
namespace {

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
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("file:/data/../secret"); }},
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("hf:no-organization"); }},
      {"spec.model.uri", [](auto& s) { s.mutable_model()->set_uri("s3://bucket/../x"); }},
      {"spec.model.files", [](auto& s) { s.mutable_model()->set_uri("upload:x"); }},
      {"spec.model.files", [](auto& s) { *s.mutable_model()->add_files() = Uploaded("a"); }},
      {"spec.model.files[0].path",
       [](auto& s) { *UploadedModel(s).add_files() = Uploaded("../config.json"); }},
      {"spec.model.files[0].path", [](auto& s) { *UploadedModel(s).add_files() = Uploaded("/a"); }},
      {"spec.model.files[0].path", [](auto& s) { *UploadedModel(s).add_files() = Uploaded(".."); }},
      {"spec.model.files[1].path",
       [](auto& s) {
         for (int i = 0; i < 2; ++i) *UploadedModel(s).add_files() = Uploaded("config.json");
       }},
      {"spec.model.files[0].sha256",
       [](auto& s) {
         *UploadedModel(s).add_files() = Uploaded("a");
         s.mutable_model()->mutable_files(0)->set_sha256("ABC");
       }},
      {"spec.model.files[0].size_bytes",
       [](auto& s) {
         *UploadedModel(s).add_files() = Uploaded("a");
         s.mutable_model()->mutable_files(0)->set_size_bytes(-1);
       }},
      {"spec.model.files",
       [](auto& s) {
         for (int i = 0; i < 17; ++i) {
           *UploadedModel(s).add_files() = Uploaded(absl::StrCat(i));
           s.mutable_model()->mutable_files(i)->set_size_bytes(int64_t{1} << 36);
         }
       }},
      {"spec.model.files",
       [](auto& s) {
         for (int i = 0; i < 1025; ++i) *UploadedModel(s).add_files() = Uploaded(absl::StrCat(i));
       }},
      {"spec.training_text.file", [](auto& s) { s.mutable_training_text()->set_uri("upload:x"); }},
      {"spec.evaluation_text.file",
       [](auto& s) { *s.mutable_evaluation_text()->mutable_file() = Uploaded("a"); }},
      {"spec.training_text.uri",
       [](auto& s) { s.mutable_training_text()->set_uri("hf:org/name"); }},
      {"spec.training_text.json_field",
       [](auto& s) { s.mutable_training_text()->set_json_field("text"); }},
      {"spec.training_text.json_field",
       [](auto& s) {
         s.mutable_training_text()->set_layout(v1::TEXT_LAYOUT_JSON_LINES);
         s.mutable_training_text()->set_json_field(std::string(129, 'x'));
       }},
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
      {"spec.gates.tasks[0].name",
       [](auto& s) {
         s.mutable_gates()->add_tasks()->set_name("facts");
         s.mutable_gates()->mutable_tasks(0)->set_min_accuracy(0.5);
       }},
      {"spec.gates.tasks[1].name",
       [](auto& s) {
         *s.mutable_evaluation()->add_tasks() = Named("facts");
         for (int i = 0; i < 2; ++i) {
           s.mutable_gates()->add_tasks()->set_name("facts");
           s.mutable_gates()->mutable_tasks(i)->set_min_accuracy(0.5);
         }
       }},
      {"spec.gates.tasks[0]",
       [](auto& s) {
         *s.mutable_evaluation()->add_tasks() = Named("facts");
         s.mutable_gates()->add_tasks()->set_name("facts");
       }},
      {"spec.gates.tasks[0].min_accuracy",
       [](auto& s) {
         *s.mutable_evaluation()->add_tasks() = Named("facts");
         s.mutable_gates()->add_tasks()->set_name("facts");
         s.mutable_gates()->mutable_tasks(0)->set_min_accuracy(1.1);
       }},
      {"spec.max_attempts", [](auto& s) { s.set_max_attempts(11); }},
      {"spec.max_attempts", [](auto& s) { s.set_max_attempts(-1); }},
      {"spec.priority", [](auto& s) { s.set_priority(1001); }},
      {"spec.priority", [](auto& s) { s.set_priority(-1); }},
      {"spec.retry.initial_backoff",
       [](auto& s) { s.mutable_retry()->mutable_initial_backoff()->set_seconds(-1); }},
      {"spec.retry.max_backoff",
       [](auto& s) {
         s.mutable_retry()->mutable_initial_backoff()->set_seconds(9);
         s.mutable_retry()->mutable_max_backoff()->set_seconds(8);
       }},
      {"spec.attempt_timeout", [](auto& s) { s.mutable_attempt_timeout()->set_nanos(1); }},
      {"spec.min_worker_memory_bytes", [](auto& s) { s.set_min_worker_memory_bytes(-1); }},
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

}  // namespace
}  // namespace sasq
