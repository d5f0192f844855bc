#include "server/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "common/rpc_status.h"
#include "server/spec_validation.h"
#include "server/timestamps.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// 2 layers, hidden 8, intermediate 16, 2 heads of 4, vocabulary 32, tied embeddings.
constexpr char kConfig[] = R"json({"architectures": ["LlamaForCausalLM"], "hidden_size": 8,
  "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
  "num_key_value_heads": 2, "vocab_size": 32, "max_position_embeddings": 4096,
  "rms_norm_eps": 1e-5, "tie_word_embeddings": true, "model_type": "llama"})json";

class PlanTest : public testing::Test {
 protected:
  v1::JobSpec SpecWith(const std::string& config, v1::JobSpec spec = MinimalSpec()) {
    std::ofstream(folder_.path() + "/config.json") << config;
    spec.mutable_model()->set_uri("file:" + folder_.path());
    return *CompleteSpec(spec);
  }

  TemporaryFolder folder_;
};

TEST_F(PlanTest, ModelThatOnlyTheWorkerCanReadIsAccepted) {
  const absl::StatusOr<v1::Plan> plan = MakePlan(*CompleteSpec(MinimalSpec()), 1e9);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_FALSE(plan->model_readable());
  EXPECT_EQ(plan->ByteSizeLong(), 0);
}

TEST_F(PlanTest, CountsAsItsHeaderSays) {
  const absl::StatusOr<v1::Plan> plan = MakePlan(SpecWith(kConfig), 1e9);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->model_readable());
  EXPECT_EQ(plan->architecture(), "LlamaForCausalLM");
  EXPECT_EQ(plan->site_count(), 8);
  const int64_t linears = 2 * (4 * 8 * 8 + 3 * 8 * 16);
  EXPECT_EQ(plan->parameter_count(), linears + 32 * 8 + 5 * 8);
  // Calibration 32 x 512, training 60 x 256, evaluation of 5 rows of 4 x 2048.
  EXPECT_EQ(plan->token_count(), 32 * 512 + 60 * 256 + 5 * 4 * 2048);
  const auto forward = [&](double window) {
    return 2.0 * (linears + 32 * 8) + 2.0 * 2 * 8 * window;
  };
  // Backward through attention costs twice its forward pass.
  const double training = 2 * forward(256) + 2.0 * 2 * 8 * 256;
  EXPECT_DOUBLE_EQ(plan->flop_count(),
                   32 * 512 * forward(512) + 60 * 256 * training + 5 * 4 * 2048 * forward(2048));
  EXPECT_GT(plan->memory_bytes(), 4 * plan->parameter_count());
  // The division rounds to nanoseconds.
  EXPECT_NEAR(absl::ToDoubleSeconds(ToDuration(plan->duration())), plan->flop_count() / 1e9, 1e-8);
}

TEST_F(PlanTest, CountsEveryRowOnEveryText) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_kind(v1::JOB_KIND_COMPARE);
  spec.add_baselines()->set_method(v1::METHOD_RTN_DYNAMIC);
  spec.add_baselines()->set_method(v1::METHOD_LLM_QAT);
  spec.add_baselines()->set_preset(v1::PRESET_SASQ_MAX);
  v1::NamedText& other = *spec.mutable_evaluation()->add_other_texts();
  other.set_name("code");
  other.mutable_text()->set_uri("file:/nowhere/code.txt");
  const absl::StatusOr<v1::Plan> plan = MakePlan(SpecWith(kConfig, spec), 1e9);
  ASSERT_TRUE(plan.ok()) << plan.status();
  // Rows: these three and two of the float model. Of each 4 windows of both texts, 2 windows
  // decoded and 2 compared with the float model.
  EXPECT_EQ(plan->token_count(), 32 * 512 + 30 * 256 + 100 * 512 + 5 * (2 * 4 + 2 + 2) * 2048);
  spec.mutable_baselines()->DeleteSubrange(2, 1);
  const absl::StatusOr<v1::Plan> dynamic = MakePlan(SpecWith(kConfig, spec), 1e9);
  ASSERT_TRUE(dynamic.ok()) << dynamic.status();
  EXPECT_EQ(dynamic->token_count(), 30 * 256 + 3 * (2 * 4 + 2 + 2) * 2048) << "no calibration";
}

TEST_F(PlanTest, TrainedWeightsNeedMoreMemoryThanTrainedScales) {
  const auto memory_of = [this](v1::Method method) {
    v1::JobSpec spec = MinimalSpec();
    spec.mutable_evaluation()->set_window_tokens(8);  // so that training needs most
    spec.set_kind(v1::JOB_KIND_COMPARE);
    spec.add_baselines()->set_method(method);
    const absl::StatusOr<v1::Plan> plan = MakePlan(SpecWith(kConfig, spec), 0);
    EXPECT_TRUE(plan.ok()) << plan.status();
    return plan.ok() ? plan->memory_bytes() : 0;
  };
  const int64_t sasq = memory_of(v1::METHOD_SASQ);
  // Gradients, two moments and the float32 weights that move: 4 x 4 bytes a parameter.
  EXPECT_GE(memory_of(v1::METHOD_LLM_QAT), sasq + 16 * 1064);
  EXPECT_GT(memory_of(v1::METHOD_SPINQUANT), sasq);
}

TEST_F(PlanTest, WindowOfABaselineBeyondTheContextIsRefused) {
  v1::JobSpec spec = MinimalSpec();
  spec.add_baselines()->set_method(v1::METHOD_LLM_QAT);
  spec.mutable_baselines(0)->mutable_training()->set_window_tokens(8192);
  const absl::Status status = MakePlan(SpecWith(kConfig, spec), 0).status();
  ASSERT_EQ(FieldViolationsOf(status).size(), 1) << status;
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "spec.baselines[0].training.window_tokens");
}

TEST_F(PlanTest, NoWorkerNoDuration) {
  EXPECT_FALSE(MakePlan(SpecWith(kConfig), 0)->has_duration());
}

TEST_F(PlanTest, UnknownArchitectureNamesTheKnownOnes) {
  const absl::Status status =
      MakePlan(SpecWith(R"json({"architectures": ["BertModel"]})json"), 0).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_SPEC") << status;
  ASSERT_EQ(FieldViolationsOf(status).size(), 1);
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "spec.model.uri");
  EXPECT_THAT(
      std::string(status.message()),
      testing::AllOf(testing::HasSubstr("BertModel"), testing::HasSubstr("LlamaForCausalLM"),
                     testing::HasSubstr("Qwen2ForCausalLM")));
}

TEST_F(PlanTest, BrokenConfigIsRefused) {
  EXPECT_EQ(ReasonOf(MakePlan(SpecWith("{\"architectures\": ["), 0).status()), "INVALID_SPEC");
}

TEST_F(PlanTest, WindowBeyondTheContextIsRefused) {
  v1::JobSpec spec = SpecWith(kConfig);
  spec.mutable_evaluation()->set_window_tokens(8192);
  const absl::Status status = MakePlan(spec, 0).status();
  ASSERT_EQ(FieldViolationsOf(status).size(), 1) << status;
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "spec.evaluation.window_tokens");
}

}  // namespace
}  // namespace sasq
