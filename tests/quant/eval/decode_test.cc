#include "quant/eval/decode.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/quantized_weights.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

// Passes on, and counts rows.
class CountingExecutor final : public SiteExecutor {
 public:
  explicit CountingExecutor(SiteExecutor& executor) : executor_(executor) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    row_count_ += x.size(0);
    return executor_.Run(site, x, leading_rows);
  }
  int64_t row_count() const { return row_count_; }

 private:
  SiteExecutor& executor_;
  int64_t row_count_ = 0;
};

class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() : model_(Model::Load(MakeTinyModel()).value()) {
    const std::shared_ptr<const QuantizedWeights> weights =
        QuantizedWeights::Create(model_).value();
    const auto quantized = [&](SitePrecision precision) {
      QuantizationRules rules;
      rules.sites.assign(model_->sites().size(), {precision, 0.03f});
      return MakeQuantizedExecutor(weights, rules).value();
    };
    float_ = MakeFloatExecutor(model_);
    static_ = quantized(SitePrecision::kStatic);
    dynamic_ = quantized(SitePrecision::kDynamic);
    for (int32_t i = 0; i < 61; ++i) tokens_.push_back((i * 37 + 11) % 256);
  }

  absl::Span<const int32_t> tokens(size_t begin = 0) const {
    return absl::MakeConstSpan(tokens_).subspan(begin);
  }

  // As a server does it: the prompt at once, then one token after the other.
  double TokenByTokenLoss(SiteExecutor& prefill, SiteExecutor& decode,
                          absl::Span<const int32_t> window, const KvCache* prefix) const {
    const size_t half = window.size() / 2;
    KvCache cache;
    EXPECT_TRUE(
        Forward(*model_, window.first(half), prefill, {.past = prefix, .kept = &cache}).ok());
    std::vector<at::Tensor> hidden;
    for (size_t t = half; t < window.size(); ++t) {
      hidden.push_back(
          Forward(*model_, window.subspan(t, 1), decode, {.past = &cache, .kept = &cache}).value());
    }
    NextTokenLoss loss(*model_);
    const SequenceLoss sum = loss.Compute(at::cat(hidden), window.subspan(half), 0).value();
    return sum.sum_nats / static_cast<double>(sum.count);
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<SiteExecutor> float_, static_, dynamic_;
  std::vector<int32_t> tokens_;
};

TEST_F(DecodeTest, IsWhatTokenByTokenDecodingGives) {
  const std::vector<EvaluationWindow> windows = {{tokens()}};
  for (SiteExecutor* const prefill : {float_.get(), static_.get(), dynamic_.get()}) {
    for (SiteExecutor* const decode : {float_.get(), dynamic_.get()}) {
      const PerplexityResult result =
          EvaluateDecoding(*model_, *prefill, *decode, windows, {}).value();
      const double want = TokenByTokenLoss(*prefill, *decode, tokens(), nullptr);
      // Attention over one query and over many sums in another order, and what this rounds can
      // move an activation to the next code.
      EXPECT_NEAR(result.windows[0].mean_nats, want, decode == float_.get() ? 1e-5 : 1e-3);
      EXPECT_EQ(result.token_count, 30);
    }
  }
}

TEST_F(DecodeTest, InFloatIsTheSecondHalfOfPrefill) {
  const std::vector<EvaluationWindow> windows = {{tokens()}, {tokens(21)}};
  const std::vector<EvaluationWindow> second_halves = {{tokens(), 30}, {tokens(21), 20}};
  const PerplexityResult decoded = EvaluateDecoding(*model_, *float_, *float_, windows, {}).value();
  const PerplexityResult read = EvaluatePerplexity(*model_, *float_, second_halves, {}).value();
  ASSERT_EQ(decoded.windows.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(decoded.windows[i].token_count, read.windows[i].token_count);
    // Sums in another order.
    EXPECT_NEAR(decoded.windows[i].mean_nats, read.windows[i].mean_nats, 1e-5);
  }
  EXPECT_EQ(decoded.token_count, 30 + 19);
  EXPECT_NEAR(decoded.perplexity, read.perplexity, 1e-5 * read.perplexity);
}

TEST_F(DecodeTest, EachHalfHasItsExecutor) {
  CountingExecutor prefill(*static_);
  CountingExecutor decode(*dynamic_);
  const std::vector<EvaluationWindow> windows = {{tokens()}};
  ASSERT_TRUE(EvaluateDecoding(*model_, prefill, decode, windows, {}).ok());
  const auto site_count = static_cast<int64_t>(model_->sites().size());
  EXPECT_EQ(prefill.row_count(), 30 * site_count);
  EXPECT_EQ(decode.row_count(), 31 * site_count);
}

TEST_F(DecodeTest, WindowsFollowThePrefix) {
  KvCache prefix;
  ASSERT_TRUE(Forward(*model_, tokens().first(7), *float_, {.kept = &prefix}).ok());
  PerplexityOptions options;
  options.prefix = &prefix;
  const std::vector<EvaluationWindow> windows = {{tokens(7)}};
  const PerplexityResult result =
      EvaluateDecoding(*model_, *static_, *float_, windows, options).value();
  const double want = TokenByTokenLoss(*static_, *float_, tokens(7), &prefix);
  // In float, where another order of sums cannot move an activation to the next code.
  EXPECT_NEAR(result.windows[0].mean_nats, want, 1e-5);
  const double without = TokenByTokenLoss(*static_, *float_, tokens(7), nullptr);
  EXPECT_GT(std::abs(without - want), 1e-2);
}

TEST_F(DecodeTest, TellsOfEachWindowAndStops) {
  std::stop_source stop;
  std::vector<int64_t> done;
  PerplexityOptions options;
  options.stop = stop.get_token();
  options.on_window = [&](int64_t count) {
    done.push_back(count);
    stop.request_stop();
  };
  const std::vector<EvaluationWindow> windows = {{tokens()}, {tokens()}};
  EXPECT_EQ(EvaluateDecoding(*model_, *float_, *float_, windows, options).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(done, std::vector<int64_t>{1});
}

TEST_F(DecodeTest, RefusesWhatCannotBeScored) {
  EXPECT_EQ(EvaluateDecoding(*model_, *float_, *float_, {}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (const size_t count : {0, 1, 2}) {
    const std::vector<EvaluationWindow> windows = {{tokens().first(count)}};
    EXPECT_EQ(EvaluateDecoding(*model_, *float_, *float_, windows, {}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << count;
  }
  const std::vector<EvaluationWindow> windows = {{tokens().first(3)}};
  EXPECT_TRUE(EvaluateDecoding(*model_, *float_, *float_, windows, {}).ok());
}

}  // namespace
}  // namespace sasq::testing
