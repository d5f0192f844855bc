#include "quant/eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

class PerplexityTest : public ::testing::Test {
 protected:
  PerplexityTest()
      : model_(Model::Load(MakeTinyModel()).value()), executor_(MakeFloatExecutor(model_)) {
    for (int32_t i = 0; i < 50; ++i) tokens_.push_back((i * 37 + 11) % 256);
    windows_ = {{absl::MakeConstSpan(tokens_).first(20)},
                {absl::MakeConstSpan(tokens_).subspan(20)}};
  }

  // Mean loss of a window from position `first` on, by the naive model.
  double NaiveMean(absl::Span<const int32_t> window, size_t first) const {
    const std::vector<int32_t> tokens(window.begin(), window.end());
    const Matrix hidden = NaiveForward(model_->config(), model_->checkpoint(), tokens);
    const std::vector<double> losses =
        NaiveLosses(model_->config(), model_->checkpoint(), hidden, tokens);
    double sum = 0;
    for (size_t t = first; t < losses.size(); ++t) sum += losses[t];
    return sum / static_cast<double>(losses.size() - first);
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<SiteExecutor> executor_;
  std::vector<int32_t> tokens_;
  std::vector<EvaluationWindow> windows_;
};

TEST_F(PerplexityTest, IsTheDefinition) {
  for (const bool skip : {false, true}) {
    PerplexityOptions options;
    options.skip_first_prediction = skip;
    const PerplexityResult result =
        EvaluatePerplexity(*model_, *executor_, windows_, options).value();
    const size_t first = skip ? 1 : 0;
    const double means[] = {NaiveMean(windows_[0].tokens, first),
                            NaiveMean(windows_[1].tokens, first)};
    ASSERT_EQ(result.windows.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      // float32 logits of order 10 against double ones.
      EXPECT_NEAR(result.windows[i].mean_nats, means[i], 1e-4);
      EXPECT_EQ(result.windows[i].token_count,
                static_cast<int64_t>(windows_[i].tokens.size() - 1 - first));
    }
    EXPECT_EQ(result.token_count, skip ? 46 : 48);
    EXPECT_NEAR(std::log(result.perplexity), (means[0] + means[1]) / 2, 1e-4);
  }
}

TEST_F(PerplexityTest, ScoresAWindowFromItsFirstPositionOn) {
  windows_[1].first_position = 12;
  for (const bool skip : {false, true}) {
    PerplexityOptions options;
    options.skip_first_prediction = skip;
    const PerplexityResult result =
        EvaluatePerplexity(*model_, *executor_, windows_, options).value();
    // float32 logits of order 10 against double ones.
    EXPECT_NEAR(result.windows[1].mean_nats, NaiveMean(windows_[1].tokens, 12), 1e-4);
    EXPECT_EQ(result.windows[1].token_count, 29 - 12);
    EXPECT_EQ(result.token_count, (skip ? 18 : 19) + 29 - 12);
  }
}

TEST_F(PerplexityTest, AWindowFollowsThePrefix) {
  // The prefix and the window as one sequence, of which the window's own predictions are scored.
  const int64_t prefix_count = 5;
  KvCache prefix;
  ASSERT_TRUE(Forward(*model_, absl::MakeConstSpan(tokens_).first(prefix_count), *executor_,
                      {.kept = &prefix})
                  .ok());
  PerplexityOptions options;
  options.prefix = &prefix;
  const std::vector<EvaluationWindow> window = {
      {absl::MakeConstSpan(tokens_).subspan(prefix_count)}};
  const PerplexityResult result = EvaluatePerplexity(*model_, *executor_, window, options).value();
  EXPECT_NEAR(result.windows[0].mean_nats, NaiveMean(tokens_, prefix_count), 1e-4);  // as above
  EXPECT_EQ(result.token_count, 44);
}

TEST_F(PerplexityTest, TellsOfEachWindowAndStops) {
  std::stop_source stop;
  std::vector<int64_t> done;
  PerplexityOptions options;
  options.stop = stop.get_token();
  options.on_window = [&](int64_t count) {
    done.push_back(count);
    stop.request_stop();
  };
  EXPECT_EQ(EvaluatePerplexity(*model_, *executor_, windows_, options).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(done, std::vector<int64_t>{1});
}

TEST_F(PerplexityTest, RefusesWhatCannotBeScored) {
  EXPECT_EQ(EvaluatePerplexity(*model_, *executor_, {}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  PerplexityOptions options;
  options.skip_first_prediction = true;
  const std::vector<EvaluationWindow> short_windows = {{windows_[0].tokens.first(2)}};
  EXPECT_EQ(EvaluatePerplexity(*model_, *executor_, short_windows, options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(PerplexityTest, ACollapsedModelHasInfinitePerplexity) {
  TinyModelOptions options;
  options.dtype = Dtype::kF32;
  options.tie_word_embeddings = false;
  options.head_deviation = 5e37f;  // logits overflow
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(options)).value();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  EXPECT_TRUE(std::isinf(EvaluatePerplexity(*model, *executor, windows_, {})->perplexity));
}

}  // namespace
}  // namespace sasq::testing
