#include "quant/methods/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rpc_status.h"
#include "quant/eval/perplexity.h"
#include "quant/methods/site_policy.h"
#include "quant/methods/static_scales.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr size_t kWindowTokens = 32;

class RecipeTest : public ::testing::Test {
 protected:
  RecipeTest() {
    for (int32_t i = 0; i < 320; ++i) tokens_.push_back((i * i * 7 + i) % 256);
    inputs_.model = Model::Load(MakeTinyModel()).value();
    inputs_.weights = QuantizedWeights::Create(inputs_.model).value();
    store_ = std::make_unique<StatisticsStore>(
        std::vector<absl::Span<const int32_t>>{Window(5), Window(6), Window(7)},
        [this](int64_t) { ++calibrated_windows_; });
    inputs_.store = store_.get();
    inputs_.training_window = [this](int64_t step) { return Window(step); };
    inputs_.fingerprint = "tiny";
  }

  absl::Span<const int32_t> Window(int64_t step) const {
    return absl::MakeConstSpan(tokens_).subspan(static_cast<size_t>(step % 10) * kWindowTokens,
                                                kWindowTokens);
  }

  // With every default filled in that the service would fill in.
  static v1::Recipe RecipeOf(v1::Method method,
                             v1::FirstToken first_token = v1::FIRST_TOKEN_QUANTIZED) {
    v1::Recipe recipe;
    recipe.set_method(method);
    recipe.set_first_token(first_token);
    recipe.set_scale_rule(method == v1::METHOD_STATIC_ABSMAX       ? v1::SCALE_RULE_ABSMAX_MEAN
                          : method == v1::METHOD_STATIC_PERCENTILE ? v1::SCALE_RULE_PERCENTILE
                                                                   : v1::SCALE_RULE_MSE);
    recipe.set_percentile(99.9);
    recipe.mutable_training()->set_step_count(4);
    recipe.mutable_training()->set_window_tokens(kWindowTokens);
    recipe.mutable_training()->set_learning_rate(0.06);
    recipe.mutable_training()->set_warmup_step_count(1);
    return recipe;
  }

  double Perplexity(const PreparedRecipe& prepared, SiteExecutor& executor) const {
    const std::vector<EvaluationWindow> windows = {{.tokens = Window(0)}, {.tokens = Window(1)}};
    PerplexityOptions options;
    options.prefix = prepared.prefix.get();
    return EvaluatePerplexity(*prepared.model, executor, windows, options)->perplexity;
  }

  std::vector<int32_t> tokens_;
  int calibrated_windows_ = 0;
  std::unique_ptr<StatisticsStore> store_;
  RecipeInputs inputs_;
};

std::vector<float> ScalesOf(const QuantizationRules& rules) {
  std::vector<float> scales;
  for (const SiteRule& rule : rules.sites) scales.push_back(rule.scale);
  return scales;
}

TEST_F(RecipeTest, EveryMethodWithoutTransformsGivesAModelThatCanBeMeasured) {
  for (const v1::Method method : {v1::METHOD_FP, v1::METHOD_RTN_DYNAMIC, v1::METHOD_STATIC_ABSMAX,
                                  v1::METHOD_STATIC_PERCENTILE, v1::METHOD_STATIC_MSE,
                                  v1::METHOD_SASQ, v1::METHOD_FP_CLIPPED}) {
    for (const v1::FirstToken first_token :
         {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT, v1::FIRST_TOKEN_PREFIX}) {
      const PreparedRecipe prepared = PrepareRecipe(RecipeOf(method, first_token), inputs_).value();
      EXPECT_GT(Perplexity(prepared, *prepared.executor), 1);
      EXPECT_GT(Perplexity(prepared, *prepared.decode_executor), 1);
      EXPECT_EQ(prepared.prefix != nullptr, first_token == v1::FIRST_TOKEN_PREFIX);
      EXPECT_EQ(prepared.rules.sites.size(), method == v1::METHOD_FP ? 0u : 8u);
      const bool trains = method == v1::METHOD_SASQ || method == v1::METHOD_FP_CLIPPED;
      EXPECT_EQ(prepared.history.size(), trains ? 4u : 0u);
      EXPECT_EQ(prepared.bill.token_count, trains ? 4 * 32 : 0);
      EXPECT_EQ(prepared.bill.trained_bytes, trains ? 8 * 4 : 0);
    }
  }
}

// Three calibrations: with the first token (which also serves without it), and after the prefix.
TEST_F(RecipeTest, CalibrationIsShared) {
  for (const v1::Method method :
       {v1::METHOD_STATIC_ABSMAX, v1::METHOD_STATIC_MSE, v1::METHOD_STATIC_PERCENTILE}) {
    for (const v1::FirstToken first_token :
         {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT, v1::FIRST_TOKEN_PREFIX}) {
      ASSERT_TRUE(PrepareRecipe(RecipeOf(method, first_token), inputs_).ok());
    }
  }
  EXPECT_EQ(calibrated_windows_, 2 * 3);
}

TEST_F(RecipeTest, TrainingStartsWhereTheRuleSays) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_SASQ);
  for (const v1::ScaleRule rule : {v1::SCALE_RULE_MSE, v1::SCALE_RULE_ABSMAX_MAX}) {
    recipe.set_scale_rule(rule);
    const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
    EXPECT_EQ(ScalesOf(prepared.initial_rules), StaticScales(*prepared.statistics, {.rule = rule}));
    EXPECT_NE(ScalesOf(prepared.rules), ScalesOf(prepared.initial_rules));
    double shares = 0;
    for (const double share : prepared.gradient_shares) shares += share;
    EXPECT_NEAR(shares, 1, 1e-9);  // sums of eight doubles
  }
}

TEST_F(RecipeTest, GoesOnFromACheckpointToTheSameScales) {
  const v1::Recipe recipe = RecipeOf(v1::METHOD_SASQ);
  std::string checkpoint;
  int steps = 0;
  inputs_.on_scale_step = [&](const ScaleTrainer& trainer, const QuantizationRules& initial) {
    ++steps;
    if (trainer.step() != 2) return;
    checkpoint = trainer.Checkpoint();
    inputs_.checkpoint_sites = initial.sites;
  };
  const PreparedRecipe unbroken = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(steps, 4);
  inputs_.checkpoint = checkpoint;
  const PreparedRecipe resumed = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(steps, 6);
  EXPECT_EQ(ScalesOf(resumed.rules), ScalesOf(unbroken.rules));
  EXPECT_EQ(resumed.gradient_shares, unbroken.gradient_shares);
  EXPECT_EQ(resumed.history.size(), 4u);
}

TEST_F(RecipeTest, NamedSitesKeepTheirPrecision) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_SASQ);
  recipe.mutable_sites()->add_float_sites("layers.1.down_in");
  recipe.mutable_sites()->add_dynamic_sites("layers.*.o_in");
  const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(prepared.rules.sites[7].precision, SitePrecision::kFloat);
  EXPECT_EQ(prepared.rules.sites[1].precision, SitePrecision::kDynamic);
  EXPECT_EQ(prepared.rules.sites[5].precision, SitePrecision::kDynamic);
  EXPECT_EQ(prepared.rules.sites[0].precision, SitePrecision::kStatic);
  EXPECT_EQ(prepared.gradient_shares[7], 0);
  EXPECT_EQ(prepared.bill.trained_bytes, 5 * 4);
  // down_proj is 96 x 64 of 64 x 128 (q, k, v) + 64 x 64 + 64 x 192 + 96 x 64 weights a layer.
  EXPECT_DOUBLE_EQ(prepared.float_flop_share,
                   0.5 * 96 * 64 / (64 * 128 + 64 * 64 + 64 * 192 + 96 * 64));

  recipe.mutable_sites()->add_float_sites("layers.2.down_in");
  const absl::Status status = PrepareRecipe(recipe, inputs_).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_SPEC");
  EXPECT_THAT(std::string(status.message()), HasSubstr("layers.2.down_in"));
}

TEST_F(RecipeTest, TheBudgetGoesToSitesThatCostMost) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_STATIC_MSE);
  recipe.set_activation_bits(4);
  const double without =
      Perplexity(*PrepareRecipe(recipe, inputs_), *PrepareRecipe(recipe, inputs_)->executor);
  recipe.mutable_sites()->set_max_float_flops(0.4);
  const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
  EXPECT_GT(prepared.float_flop_share, 0.1);
  EXPECT_LE(prepared.float_flop_share, 0.4 + 1e-9);
  ASSERT_THAT(prepared.float_gains, SizeIs(8));
  EXPECT_THAT(prepared.float_gains, Each(::testing::Ne(std::nullopt)));
  EXPECT_NE(Perplexity(prepared, *prepared.executor), without);
}

// What the float budget leaves goes to dynamic sites, and named sites count.
TEST_F(RecipeTest, TheSecondBudgetMakesSitesDynamic) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_STATIC_MSE);
  recipe.set_activation_bits(4);
  recipe.mutable_sites()->add_float_sites("layers.0.o_in");
  recipe.mutable_sites()->set_max_float_flops(0.07);  // o_proj is 4096 of 61440 weights: spent
  recipe.mutable_sites()->set_max_dynamic_flops(0.5);
  const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
  EXPECT_NEAR(prepared.float_flop_share, 4096.0 / 61440, 1e-12);
  EXPECT_GT(prepared.dynamic_flop_share, 0.05);
  EXPECT_LE(prepared.dynamic_flop_share, 0.5 + 1e-9);
  EXPECT_EQ(prepared.rules.sites[1].precision, SitePrecision::kFloat);
}

TEST_F(RecipeTest, TrainsByDivergenceFromTheFloatModel) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_SASQ);
  recipe.mutable_training()->set_loss(v1::TRAINING_LOSS_KL_DIVERGENCE);
  const PreparedRecipe by_divergence = PrepareRecipe(recipe, inputs_).value();
  // A divergence from the float model is far below a cross entropy of about ln 300.
  for (const TrainingStep& step : by_divergence.history) {
    EXPECT_GT(step.loss, 0);
    EXPECT_LT(step.loss, 0.5);
  }
  EXPECT_NE(ScalesOf(by_divergence.rules), ScalesOf(by_divergence.initial_rules));
}

TEST_F(RecipeTest, FewerBitsHurtMore) {
  // The float model is nearly a uniform guess, so distance from it is the measure.
  const PreparedRecipe reference = PrepareRecipe(RecipeOf(v1::METHOD_FP), inputs_).value();
  const double float_perplexity = Perplexity(reference, *reference.executor);
  std::vector<double> distances;
  for (const int bits : {8, 4}) {
    v1::Recipe recipe = RecipeOf(v1::METHOD_RTN_DYNAMIC);
    recipe.set_activation_bits(bits);
    recipe.set_weight_bits(bits);
    const PreparedRecipe prepared = PrepareRecipe(recipe, inputs_).value();
    distances.push_back(std::abs(Perplexity(prepared, *prepared.executor) - float_perplexity));
  }
  EXPECT_LT(3 * distances[0], distances[1]);
}

TEST_F(RecipeTest, ThePrefixIsTheModelsBos) {
  v1::Recipe recipe = RecipeOf(v1::METHOD_STATIC_MSE, v1::FIRST_TOKEN_PREFIX);
  const PreparedRecipe preset = PrepareRecipe(recipe, inputs_).value();
  const int64_t bos = inputs_.model->config().bos_token_id.value_or(0);
  EXPECT_EQ(preset.prefix_tokens, std::vector<int32_t>{static_cast<int32_t>(bos)});
  recipe.add_prefix_tokens(7);
  recipe.add_prefix_tokens(8);
  const PreparedRecipe named = PrepareRecipe(recipe, inputs_).value();
  EXPECT_EQ(named.prefix_tokens, (std::vector<int32_t>{7, 8}));
  EXPECT_EQ(named.prefix->token_count, 2);
  recipe.add_prefix_tokens(300);
  EXPECT_FALSE(PrepareRecipe(recipe, inputs_).ok());
}

TEST_F(RecipeTest, ScalesThatDivergeAreNoErrorAndTheLastGoodOnesStay) {
  TinyModelOptions options;
  options.dtype = Dtype::kF32;
  options.tie_word_embeddings = false;
  options.head_deviation = 5e37f;  // logits overflow
  inputs_.model = Model::Load(MakeTinyModel(options)).value();
  inputs_.weights = nullptr;
  const PreparedRecipe prepared = PrepareRecipe(RecipeOf(v1::METHOD_SASQ), inputs_).value();
  EXPECT_THAT(prepared.failure, HasSubstr("training step 1"));
  EXPECT_EQ(ScalesOf(prepared.rules), ScalesOf(prepared.initial_rules));
}

TEST_F(RecipeTest, RefusesAMethodThatIsNotKnown) {
  v1::Recipe recipe;
  EXPECT_EQ(ReasonOf(PrepareRecipe(recipe, inputs_).status()), "INVALID_SPEC");
}

}  // namespace
}  // namespace sasq::testing
