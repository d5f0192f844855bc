// A real model on WikiText-2 against numbers of an independent implementation (Python, PyTorch, one
// seed): SmolLM2-135M-Instruct, four evaluation windows of 2,048 tokens, calibration on 32 windows
// of 512. Skipped unless SASQ_MODEL_DIR names the model's folder and SASQ_WIKITEXT2_DIR one with
// wiki.test.tokens and wiki.valid.tokens. Takes some ten minutes on one core.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "quant/eval/perplexity.h"
#include "quant/methods/recipe.h"
#include "quant/text/text_source.h"
#include "quant/text/tokenizer.h"
#include "quant/text/windows.h"

namespace sasq {
namespace {

class ReferenceTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const char* const model_folder = std::getenv("SASQ_MODEL_DIR");
    const char* const text_folder = std::getenv("SASQ_WIKITEXT2_DIR");
    if (model_folder == nullptr || text_folder == nullptr) return;
    data_ = std::make_unique<Data>();
    const std::unique_ptr<const Tokenizer> tokenizer =
        Tokenizer::LoadFromFolder(model_folder).value();
    const auto tokenize = [&](const std::string& name) {
      const LoadedText loaded =
          LoadText(std::string(text_folder) + "/" + name, TextLayout::kPlain).value();
      return tokenizer->Encode(loaded.text).value();
    };
    data_->test = tokenize("wiki.test.tokens");
    data_->valid = tokenize("wiki.valid.tokens");
    data_->model = Model::Load(model_folder).value();
    data_->weights = QuantizedWeights::Create(data_->model).value();
    data_->store = std::make_unique<StatisticsStore>(Windows(data_->valid, 512, 32), nullptr);
  }
  static void TearDownTestSuite() { data_.reset(); }

  void SetUp() override {
    if (data_ == nullptr) {
      GTEST_SKIP() << "set SASQ_MODEL_DIR to the folder of SmolLM2-135M-Instruct and "
                      "SASQ_WIKITEXT2_DIR to that of WikiText-2";
    }
  }

  static std::vector<absl::Span<const int32_t>> Windows(const std::vector<int32_t>& tokens,
                                                        int64_t window_tokens, int64_t wanted) {
    const int64_t available =
        CountWindows(static_cast<int64_t>(tokens.size()), window_tokens).value();
    std::vector<absl::Span<const int32_t>> windows;
    for (const int64_t window : EvenlySpacedWindows(available, wanted)) {
      windows.push_back(WindowAt(tokens, window, window_tokens));
    }
    return windows;
  }

  // Perplexity of a recipe, printed too.
  static double Measure(const v1::Recipe& recipe) {
    RecipeInputs inputs;
    inputs.model = data_->model;
    inputs.weights = data_->weights;
    inputs.store = data_->store.get();
    const std::vector<absl::Span<const int32_t>> windows = Windows(data_->valid, 256, /*wanted=*/0);
    WindowOrder order(static_cast<int64_t>(windows.size()), /*seed=*/0);
    inputs.training_window = [&](int64_t) { return windows[static_cast<size_t>(order.Next())]; };
    const PreparedRecipe prepared = PrepareRecipe(recipe, inputs).value();
    PerplexityOptions options;
    options.skip_first_prediction = SkipsFirstPrediction(recipe);
    options.prefix = prepared.prefix.get();
    std::vector<EvaluationWindow> test_windows;
    for (const absl::Span<const int32_t> window : Windows(data_->test, 2048, 4)) {
      test_windows.push_back({.tokens = window});
    }
    const PerplexityResult result =
        EvaluatePerplexity(*prepared.model, *prepared.executor, test_windows, options).value();
    for (const std::string& note : prepared.notes) std::printf("%s\n", note.c_str());
    for (size_t i = 0; i < prepared.rules.sites.size(); ++i) {
      if (prepared.rules.sites[i].precision != SitePrecision::kFloat) continue;
      std::printf("in float: %s\n", SiteName(data_->model->sites()[i]).c_str());
    }
    std::printf("%s, %s: perplexity %.4f on %lld tokens in %.1f s\n",
                v1::Method_Name(recipe.method()).c_str(),
                v1::FirstToken_Name(recipe.first_token()).c_str(), result.perplexity,
                static_cast<long long>(result.token_count), result.seconds);
    return result.perplexity;
  }

  static v1::Recipe Untrained(v1::Method method, v1::FirstToken first_token) {
    v1::Recipe recipe;
    recipe.set_method(method);
    recipe.set_first_token(first_token);
    recipe.set_scale_rule(method == v1::METHOD_STATIC_ABSMAX ? v1::SCALE_RULE_ABSMAX_MEAN
                                                             : v1::SCALE_RULE_MSE);
    return recipe;
  }

  static v1::Recipe Sasq(v1::FirstToken first_token, int step_count, double learning_rate) {
    v1::Recipe recipe = Untrained(v1::METHOD_SASQ, first_token);
    recipe.mutable_training()->set_step_count(step_count);
    recipe.mutable_training()->set_window_tokens(256);
    recipe.mutable_training()->set_learning_rate(learning_rate);
    recipe.mutable_training()->set_warmup_step_count(5);
    return recipe;
  }

  struct Data {
    std::shared_ptr<const Model> model;
    std::shared_ptr<const QuantizedWeights> weights;
    std::vector<int32_t> test;
    std::vector<int32_t> valid;
    std::unique_ptr<StatisticsStore> store;
  };
  static std::unique_ptr<Data> data_;
};

std::unique_ptr<ReferenceTest::Data> ReferenceTest::data_;

// The float model is the same computation: only summation order differs.
TEST_F(ReferenceTest, Float) {
  EXPECT_NEAR(Measure(Untrained(v1::METHOD_FP, v1::FIRST_TOKEN_QUANTIZED)), 17.224, 0.017);
  EXPECT_NEAR(Measure(Untrained(v1::METHOD_FP, v1::FIRST_TOKEN_FLOAT)), 17.155, 0.017);
}

// Rounding noise of 1e-6 in an activation flips codes; two right implementations differ by this.
TEST_F(ReferenceTest, DynamicAndMse) {
  EXPECT_NEAR(Measure(Untrained(v1::METHOD_RTN_DYNAMIC, v1::FIRST_TOKEN_QUANTIZED)), 17.797, 0.178);
  EXPECT_NEAR(Measure(Untrained(v1::METHOD_STATIC_MSE, v1::FIRST_TOKEN_QUANTIZED)), 24.78, 0.248);
}

// Here the model collapses and amplifies that noise.
TEST_F(ReferenceTest, Absmax) {
  EXPECT_NEAR(Measure(Untrained(v1::METHOD_STATIC_ABSMAX, v1::FIRST_TOKEN_QUANTIZED)), 29.97, 0.90);
}

TEST_F(ReferenceTest, Sasq) { EXPECT_LE(Measure(Sasq(v1::FIRST_TOKEN_QUANTIZED, 60, 0.08)), 21.2); }

TEST_F(ReferenceTest, SasqWithFirstTokenInFloat) {
  EXPECT_LE(Measure(Sasq(v1::FIRST_TOKEN_FLOAT, 100, 0.02)), 18.6);
}

}  // namespace
}  // namespace sasq
