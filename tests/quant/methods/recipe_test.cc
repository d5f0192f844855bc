#include "quant/methods/recipe.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rpc_status.h"
#include "quant/eval/perplexity.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

class RecipeTest : public ::testing::Test {
 protected:
  RecipeTest() {
    for (int32_t i = 0; i < 320; ++i) tokens_.push_back((i * i * 7 + i) % 256);
    inputs_.model = Model::Load(MakeTinyModel()).value();
    inputs_.weights = QuantizedWeights::Create(inputs_.model).value();
    inputs_.calibrated_scales = [this](v1::Method method, v1::FirstToken first_token) {
      const float scale = (method == v1::METHOD_STATIC_ABSMAX ? 0.02f : 0.015f) *
                          (first_token == v1::FIRST_TOKEN_FLOAT ? 0.5f : 1.0f);
      return std::vector<float>(inputs_.model->sites().size(), scale);
    };
    inputs_.training_window = [this](int64_t step) { return Window(step); };
    inputs_.fingerprint = "tiny";
  }

  absl::Span<const int32_t> Window(int64_t step) const {
    return absl::MakeConstSpan(tokens_).subspan(static_cast<size_t>(step % 10) * 32, 32);
  }

  static v1::Recipe SasqRecipe() {
    v1::Recipe recipe;
    recipe.set_method(v1::METHOD_SASQ);
    recipe.set_first_token(v1::FIRST_TOKEN_QUANTIZED);
    recipe.mutable_training()->set_step_count(4);
    recipe.mutable_training()->set_window_tokens(32);
    recipe.mutable_training()->set_learning_rate(0.06);
    recipe.mutable_training()->set_warmup_step_count(1);
    recipe.mutable_training()->set_initial_scales(v1::INITIAL_SCALES_MSE);
    return recipe;
  }

  double Perplexity(SiteExecutor& executor) const {
    const std::vector<absl::Span<const int32_t>> windows = {Window(0), Window(1)};
    return EvaluatePerplexity(*inputs_.model, executor, windows, {})->perplexity;
  }

  std::vector<int32_t> tokens_;
  RecipeInputs inputs_;
};

TEST_F(RecipeTest, EveryMethodGivesAModelThatCanBeMeasured) {
  for (const v1::Method method : {v1::METHOD_FP, v1::METHOD_RTN_DYNAMIC, v1::METHOD_STATIC_ABSMAX,
                                  v1::METHOD_STATIC_MSE, v1::METHOD_SASQ}) {
    for (const v1::FirstToken first_token : {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT}) {
      v1::Recipe recipe = SasqRecipe();
      recipe.set_method(method);
      recipe.set_first_token(first_token);
      const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
      EXPECT_GT(Perplexity(*prepared.executor), 1);
      EXPECT_EQ(prepared.scales.size(), IsStaticMethod(method) ? 8u : 0u);
      EXPECT_EQ(prepared.history.size(), method == v1::METHOD_SASQ ? 4u : 0u);
    }
  }
}

TEST_F(RecipeTest, StaticMethodsUseTheCalibratedScales) {
  v1::Recipe recipe;
  recipe.set_method(v1::METHOD_STATIC_ABSMAX);
  recipe.set_first_token(v1::FIRST_TOKEN_FLOAT);
  EXPECT_EQ(PrepareRecipe(recipe, inputs_)->scales, std::vector<float>(8, 0.01f));
}

TEST_F(RecipeTest, TrainingStartsWhereTheRecipeSays) {
  v1::Recipe recipe = SasqRecipe();
  EXPECT_EQ(PrepareRecipe(recipe, inputs_)->initial_scales, std::vector<float>(8, 0.015f));
  recipe.mutable_training()->set_initial_scales(v1::INITIAL_SCALES_ABSMAX);
  const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(prepared.initial_scales, std::vector<float>(8, 0.02f));
  EXPECT_NE(prepared.scales, prepared.initial_scales);
}

TEST_F(RecipeTest, GoesOnFromACheckpointToTheSameScales) {
  const v1::Recipe recipe = SasqRecipe();
  std::string checkpoint;
  int steps = 0;
  inputs_.on_step = [&](const ScaleTrainer& trainer) {
    ++steps;
    if (trainer.step() == 2) checkpoint = trainer.Checkpoint();
  };
  const PreparedRecipe unbroken = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(steps, 4);
  inputs_.checkpoint = checkpoint;
  const PreparedRecipe resumed = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(steps, 6);
  EXPECT_EQ(resumed.scales, unbroken.scales);
  EXPECT_EQ(resumed.history.size(), 4u);
}

TEST_F(RecipeTest, RefusesAMethodThatIsNotKnown) {
  v1::Recipe recipe;
  EXPECT_EQ(ReasonOf(PrepareRecipe(recipe, inputs_).status()), "INVALID_SPEC");
}

}  // namespace
}  // namespace sasq::testing
