// The methods that train rotations and weights, from a recipe to a model.
#include <gtest/gtest.h>

#include <set>

#include "common/rpc_status.h"
#include "quant/format/flop_count.h"
#include "quant/methods/methods.h"
#include "quant/model/forward.h"
#include "quant/model/hadamard.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"
#include "tests/quant/methods/transformed_model.h"

namespace sasq::testing {
namespace {

constexpr int kSteps = 6;
constexpr int kWindowTokens = 40;

v1::Recipe LearnedRecipe(v1::Method method) {
  v1::Recipe recipe;
  recipe.set_method(method);
  recipe.set_rotation(v1::ROTATION_ONLINE);
  recipe.set_activations(v1::ACTIVATIONS_DYNAMIC);
  recipe.set_activation_bits(4);  // so that there is something to learn
  recipe.mutable_training()->set_step_count(kSteps);
  recipe.mutable_training()->set_window_tokens(kWindowTokens);
  recipe.mutable_training()->set_warmup_step_count(0);
  recipe.mutable_training()->set_learning_rate(method == v1::METHOD_SPINQUANT ? 1.5 : 2e-3);
  return recipe;
}

class LearnedMethodsTest : public ::testing::Test {
 protected:
  LearnedMethodsTest()
      : model_(WithOutliers(Model::Load(MakeTinyModel()).value(), 3)),
        text_(SomeTokens(kSteps * kWindowTokens)) {
    inputs_.model = model_;
    inputs_.seed = 11;
    inputs_.training_window = [this](int64_t step) {
      return absl::MakeConstSpan(text_).subspan(static_cast<size_t>(step) * kWindowTokens,
                                                kWindowTokens);
    };
    inputs_.on_step = [this](const MethodStep& step) { steps_.push_back(step); };
  }

  absl::StatusOr<PreparedModel> Prepare(const v1::Recipe& recipe) const {
    return MakeMethod(recipe).value()->PrepareModel(inputs_);
  }

  void ExpectOneCallAStep(const TrainingBill& bill) const {
    ASSERT_EQ(bill.step_losses.size(), static_cast<size_t>(kSteps));
    ASSERT_EQ(steps_.size(), static_cast<size_t>(kSteps));
    for (size_t i = 0; i < steps_.size(); ++i) {
      EXPECT_EQ(steps_[i].step, static_cast<int64_t>(i) + 1);
      EXPECT_EQ(steps_[i].loss, bill.step_losses[i]);
    }
  }

  std::shared_ptr<const Model> model_;
  std::vector<int32_t> text_;
  std::vector<MethodStep> steps_;
  MethodInputs inputs_;
};

TEST_F(LearnedMethodsTest, SpinQuantLeavesTheFloatModelAsItIs) {
  std::set<std::string> keys;
  for (const v1::Rotation rotation : {v1::ROTATION_ONLINE, v1::ROTATION_FOLDED}) {
    steps_.clear();
    v1::Recipe recipe = LearnedRecipe(v1::METHOD_SPINQUANT);
    recipe.set_rotation(rotation);
    const PreparedModel prepared = Prepare(recipe).value();
    EXPECT_LT(LogitDistance(model_, prepared.model), kFloatRounding);
    EXPECT_EQ(prepared.model->parts().down_hadamard != nullptr, rotation == v1::ROTATION_ONLINE);
    keys.insert(prepared.key);
    ExpectOneCallAStep(prepared.bill);
    EXPECT_EQ(prepared.bill.token_count, kSteps * kWindowTokens);
    // A forward and a backward pass, and not many times as much for a matrix of 64 x 64.
    const double pass = TrainingStepFlopCount(model_->config(), kWindowTokens) * kSteps;
    EXPECT_GT(prepared.bill.flop_count, pass);
    EXPECT_LT(prepared.bill.flop_count, 10 * pass);
    EXPECT_GT(prepared.bill.cpu_seconds, 0);
    EXPECT_EQ(prepared.bill.trained_bytes, (64 * 64 + 2 * 16 * 16) * 4);
    EXPECT_EQ(prepared.notes.size(), 1u);
  }
  EXPECT_EQ(keys.size(), 2u);
}

TEST_F(LearnedMethodsTest, SameInputsSameModel) {
  for (const v1::Method method : {v1::METHOD_SPINQUANT, v1::METHOD_LLM_QAT}) {
    const v1::Recipe recipe = LearnedRecipe(method);
    const PreparedModel first = Prepare(recipe).value();
    const PreparedModel second = Prepare(recipe).value();
    EXPECT_EQ(first.key, second.key);
    EXPECT_EQ(first.bill.step_losses, second.bill.step_losses);
    EXPECT_EQ(LogitDistance(first.model, second.model), 0);
    inputs_.seed = 12;
    const PreparedModel third = Prepare(recipe).value();
    EXPECT_NE(first.key, third.key);
    EXPECT_NE(first.bill.step_losses, third.bill.step_losses);
    inputs_.seed = 11;
  }
}

TEST_F(LearnedMethodsTest, LlmQatTrainsWeightsThatAreServedAsUsual) {
  v1::Recipe recipe = LearnedRecipe(v1::METHOD_LLM_QAT);
  recipe.mutable_training()->set_step_count(kSteps);
  const PreparedModel prepared = Prepare(recipe).value();
  ExpectOneCallAStep(prepared.bill);
  EXPECT_GT(LogitDistance(model_, prepared.model), 1e-3);  // weights moved
  EXPECT_NE(prepared.key, "");
  // Written and trained on; a trained token costs the teacher's and the student's forward pass and
  // both gradients of the student, a written one a forward pass.
  EXPECT_EQ(prepared.bill.token_count, 2 * kSteps * kWindowTokens);
  const ModelConfig& config = model_->config();
  EXPECT_NEAR(prepared.bill.flop_count,
              kSteps * (ForwardFlopCount(config, kWindowTokens - 1) +
                        ForwardFlopCount(config, kWindowTokens) +
                        WeightTrainingStepFlopCount(config, kWindowTokens)),
              1.0);
  EXPECT_EQ(prepared.bill.trained_bytes, config.LinearParameterCount() * 4);
  EXPECT_EQ(prepared.notes.size(), 2u);

  QuantizationRules rules;
  rules.sites.assign(model_->sites().size(), {SitePrecision::kDynamic, 0});
  rules.activation_bits = 4;
  const auto executor =
      MakeQuantizedExecutor(QuantizedWeights::Create(prepared.model).value(), rules).value();
  EXPECT_TRUE(Forward(*prepared.model, SomeTokens(20), *executor).ok());
}

TEST_F(LearnedMethodsTest, ActivationsChooseThePrecision) {
  for (const v1::Method method : {v1::METHOD_SPINQUANT, v1::METHOD_LLM_QAT}) {
    v1::Recipe recipe = LearnedRecipe(method);
    EXPECT_EQ(MakeMethod(recipe).value()->precision(), SitePrecision::kDynamic);
    recipe.set_activations(v1::ACTIVATIONS_STATIC);
    EXPECT_EQ(MakeMethod(recipe).value()->precision(), SitePrecision::kStatic);
    EXPECT_FALSE(MakeMethod(recipe).value()->trains_scales());
  }
}

TEST_F(LearnedMethodsTest, StopAndSayThatTheyDiverged) {
  for (const v1::Method method : {v1::METHOD_SPINQUANT, v1::METHOD_LLM_QAT}) {
    // After the second step, in the midst of the work.
    std::stop_source stop;
    steps_.clear();
    inputs_.model = model_;
    inputs_.stop = stop.get_token();
    inputs_.on_step = [&](const MethodStep& step) {
      steps_.push_back(step);
      if (step.step == 2) stop.request_stop();
    };
    EXPECT_EQ(Prepare(LearnedRecipe(method)).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(steps_.size(), 2u);

    ModelBuilder builder(model_);
    builder.head().mul_(1e38f);  // logits beyond float's range
    inputs_.model = builder.Build();
    inputs_.stop = {};
    const absl::Status status = Prepare(LearnedRecipe(method)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(status), "DIVERGED");
  }
}

TEST_F(LearnedMethodsTest, SpinQuantNeedsHadamardMatrices) {
  TinyModelOptions options;
  options.hidden_size = 70;
  inputs_.model = Model::Load(MakeTinyModel(options)).value();
  EXPECT_EQ(ReasonOf(Prepare(LearnedRecipe(v1::METHOD_SPINQUANT)).status()), "UNSUPPORTED_MODEL");
}

}  // namespace
}  // namespace sasq::testing
