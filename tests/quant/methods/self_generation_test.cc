#include "quant/methods/self_generation.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/log_softmax.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "common/rpc_status.h"
#include "quant/model/model_builder.h"
#include "tests/quant/methods/transformed_model.h"

namespace sasq::testing {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

class SelfGenerationTest : public ::testing::Test {
 protected:
  SelfGenerationTest() : model_(Model::Load(MakeTinyModel()).value()) {}

  Texts Generate(int64_t count, int64_t tokens, uint64_t seed) const {
    SelfGenerationOptions options;
    options.sequence_count = count;
    options.token_count = tokens;
    options.seed = seed;
    return GenerateTrainingText(model_, options).value();
  }

  std::shared_ptr<const Model> model_;
};

TEST_F(SelfGenerationTest, SameTextOfTheShapeThatWasAskedFor) {
  const Texts texts = Generate(33, 12, 5);  // more than one batch
  ASSERT_EQ(texts.size(), 33u);
  std::set<int32_t> first_tokens;
  for (const std::vector<int32_t>& text : texts) {
    ASSERT_EQ(text.size(), 12u);
    for (const int32_t token : text) EXPECT_TRUE(token >= 0 && token < 300) << token;
    first_tokens.insert(text[0]);
  }
  EXPECT_EQ(texts, Generate(33, 12, 5));
  EXPECT_NE(texts, Generate(33, 12, 6));
  // 33 even draws of 300 tokens: fewer than 20 different ones have a chance below 1e-9.
  EXPECT_GE(first_tokens.size(), 20u);
}

// The first 3 to 5 tokens after the one that is drawn are the most likely ones, the others follow
// the model's own softmax. The model is read in one piece here, without a cache.
TEST_F(SelfGenerationTest, GreedyFirstAndThenSampled) {
  constexpr int64_t kTokens = 48;
  const Texts texts = Generate(40, kTokens, 1);
  std::set<int64_t> greedy_counts;
  double surprise = 0, variance = 0;  // -ln p of what was drawn, less its expectation
  double rank = 0;                    // share of the distribution before the middle of what was
  int64_t drawn_count = 0;            // drawn, less 1/2
  for (const std::vector<int32_t>& text : texts) {
    const at::Tensor log_p = at::log_softmax(Logits(model_, text), 1);
    int64_t greedy = 0;
    for (int64_t t = 0; t + 1 < kTokens; ++t) {
      const float* row = log_p.const_data_ptr<float>() + t * log_p.size(1);
      const int32_t drawn = text[static_cast<size_t>(t + 1)];
      const int64_t likeliest = std::max_element(row, row + log_p.size(1)) - row;
      if (greedy == t && drawn == likeliest) ++greedy;
      if (t < 5) continue;
      double entropy = 0, square = 0;
      for (int64_t v = 0; v < log_p.size(1); ++v) {
        const double nats = -static_cast<double>(row[v]);
        entropy += std::exp(-nats) * nats;
        square += std::exp(-nats) * nats * nats;
        if (v <= drawn) rank += std::exp(-nats) * (v < drawn ? 1 : 0.5);
      }
      surprise += -static_cast<double>(row[drawn]) - entropy;
      variance += square - entropy * entropy;
      rank -= 0.5;
      ++drawn_count;
    }
    EXPECT_GE(greedy, 3);
    greedy_counts.insert(std::min<int64_t>(greedy, 5));
  }
  EXPECT_EQ(greedy_counts, (std::set<int64_t>{3, 4, 5}));
  // Draws from the softmax: a sum of independent deviations, within 5 of its standard deviations.
  EXPECT_GT(variance, 0);
  EXPECT_LT(std::abs(surprise), 5 * std::sqrt(variance));
  // An even draw of [0, 1) has the variance 1/12; middles of intervals have less.
  EXPECT_LT(std::abs(rank), 5 * std::sqrt(static_cast<double>(drawn_count) / 12));
}

TEST_F(SelfGenerationTest, StopsAndRefusesWhatTheModelCannotWrite) {
  SelfGenerationOptions options;
  options.token_count = 514;  // 513 tokens are read, the context has 512
  EXPECT_EQ(GenerateTrainingText(model_, options).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::stop_source stop;
  stop.request_stop();
  options.stop = stop.get_token();
  EXPECT_EQ(GenerateTrainingText(model_, options).status().code(), absl::StatusCode::kCancelled);

  ModelBuilder builder(model_);
  builder.head().mul_(1e38f);  // logits beyond float's range
  EXPECT_EQ(ReasonOf(GenerateTrainingText(builder.Build(), SelfGenerationOptions()).status()),
            "DIVERGED");
}

}  // namespace
}  // namespace sasq::testing
