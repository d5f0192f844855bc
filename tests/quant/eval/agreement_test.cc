#include "quant/eval/agreement.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

// log softmax of what a model predicts, in double precision: [tokens][vocab_size].
Matrix NaiveLogProbabilities(const Model& model, absl::Span<const int32_t> tokens) {
  const Matrix hidden =
      NaiveForward(model.config(), model.checkpoint(), {tokens.begin(), tokens.end()});
  const std::vector<double> head = DecodeWeights(model.parts().head);
  Matrix rows;
  for (const std::vector<double>& state : hidden) {
    std::vector<double>& row = rows.emplace_back();
    double sum = 0;
    for (size_t begin = 0; begin < head.size(); begin += state.size()) {
      double logit = 0;
      for (size_t i = 0; i < state.size(); ++i) logit += head[begin + i] * state[i];
      row.push_back(logit);
      sum += std::exp(logit);
    }
    for (double& logit : row) logit -= std::log(sum);
  }
  return rows;
}

struct Position {
  double divergence = 0;
  bool same_top = false;
};

// By the definition, for each token of a sequence but the last.
std::vector<Position> NaiveAgreement(const Model& model, const Model& row,
                                     absl::Span<const int32_t> tokens) {
  const Matrix p = NaiveLogProbabilities(model, tokens);
  const Matrix q = NaiveLogProbabilities(row, tokens);
  std::vector<Position> positions;
  for (size_t t = 0; t + 1 < tokens.size(); ++t) {
    Position& position = positions.emplace_back();
    for (size_t i = 0; i < p[t].size(); ++i) {
      position.divergence += std::exp(p[t][i]) * (p[t][i] - q[t][i]);
    }
    position.same_top = std::max_element(p[t].begin(), p[t].end()) - p[t].begin() ==
                        std::max_element(q[t].begin(), q[t].end()) - q[t].begin();
  }
  return positions;
}

// A model, and a row with other weights and an output layer of its own.
class AgreementTest : public ::testing::Test {
 protected:
  AgreementTest() : model_(Model::Load(MakeTinyModel()).value()), row_(OtherModel()) {
    for (int32_t i = 0; i < 120; ++i) tokens_.push_back((i * 37 + i * i % 7) % 256);
    windows_ = {absl::MakeConstSpan(tokens_).first(50), absl::MakeConstSpan(tokens_).subspan(50)};
  }

  static std::shared_ptr<const Model> OtherModel() {
    TinyModelOptions options;
    options.tie_word_embeddings = false;  // an output layer of its own
    return Model::Load(MakeTinyModel(options)).value();
  }

  std::unique_ptr<const FloatPredictions> Predictions(const PerplexityOptions& options = {}) const {
    return FloatPredictions::Create(model_, windows_, options).value();
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Model> row_;
  std::vector<int32_t> tokens_;
  std::vector<absl::Span<const int32_t>> windows_;
};

TEST_F(AgreementTest, TheFloatModelAgreesWithItself) {
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model_);
  const Agreement agreement = MeasureAgreement(*model_, *executor, *Predictions(), {}).value();
  EXPECT_EQ(agreement.kl_divergence, 0);
  EXPECT_EQ(agreement.top1_agreement, 1);
  EXPECT_EQ(agreement.kl_by_position, std::vector<double>(16, 0.0));
  EXPECT_EQ(agreement.top1_by_position, std::vector<double>(16, 1.0));
  EXPECT_EQ(agreement.prediction_count, 49 + 69);
}

TEST_F(AgreementTest, IsTheDefinition) {
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row_);
  for (const bool skip : {false, true}) {
    PerplexityOptions options;
    options.skip_first_prediction = skip;
    const Agreement agreement =
        MeasureAgreement(*row_, *executor, *Predictions(options), options).value();
    std::vector<Position> all;
    std::vector<std::vector<Position>> parts(16);
    for (const absl::Span<const int32_t> window : windows_) {
      std::vector<Position> positions = NaiveAgreement(*model_, *row_, window);
      if (skip) positions.erase(positions.begin());
      for (size_t i = 0; i < positions.size(); ++i) {
        all.push_back(positions[i]);
        parts[i * 16 / positions.size()].push_back(positions[i]);
      }
    }
    const auto expect_means = [](const std::vector<Position>& positions, double divergence,
                                 double top1) {
      double sum = 0, same_count = 0;
      for (const Position& position : positions) {
        sum += position.divergence;
        same_count += position.same_top;
      }
      const auto count = static_cast<double>(positions.size());
      // float32 logits of order 10 against double ones; divergences are of order 10.
      EXPECT_NEAR(divergence, sum / count, 1e-4);
      EXPECT_NEAR(top1, same_count / count, 1e-12);
    };
    EXPECT_EQ(agreement.prediction_count, static_cast<int64_t>(all.size()));
    expect_means(all, agreement.kl_divergence, agreement.top1_agreement);
    for (size_t part = 0; part < 16; ++part) {
      expect_means(parts[part], agreement.kl_by_position[part], agreement.top1_by_position[part]);
    }
  }
}

TEST_F(AgreementTest, FoldedTransformsLeaveNothingButRounding) {
  // The final norm's gain moves into the output layer, whose weights are then others.
  ModelBuilder builder(model_);
  builder.head().mul_(builder.final_norm());
  builder.final_norm().fill_(1);
  const std::shared_ptr<const Model> folded = builder.Build();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(folded);
  const Agreement agreement = MeasureAgreement(*folded, *executor, *Predictions(), {}).value();
  // A divergence is quadratic in the logits' difference, here 1e-5; the sum of 300 terms rounds.
  EXPECT_NEAR(agreement.kl_divergence, 0, 1e-5);
  EXPECT_EQ(agreement.top1_agreement, 1);
}

TEST_F(AgreementTest, WindowsFollowThePrefix) {
  // Each model's own keys and values of the prefix: as if the prefix were part of the window.
  const int64_t prefix_count = 3;
  const absl::Span<const int32_t> prefix = absl::MakeConstSpan(tokens_).first(prefix_count);
  const std::unique_ptr<SiteExecutor> float_executor = MakeFloatExecutor(model_);
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row_);
  KvCache float_cache, row_cache;
  ASSERT_TRUE(Forward(*model_, prefix, *float_executor, {.kept = &float_cache}).ok());
  ASSERT_TRUE(Forward(*row_, prefix, *executor, {.kept = &row_cache}).ok());
  windows_ = {absl::MakeConstSpan(tokens_).subspan(prefix_count)};
  PerplexityOptions float_options, options;
  float_options.prefix = &float_cache;
  options.prefix = &row_cache;
  const Agreement agreement =
      MeasureAgreement(*row_, *executor, *Predictions(float_options), options).value();
  std::vector<Position> positions = NaiveAgreement(*model_, *row_, tokens_);
  double sum = 0;
  for (size_t t = prefix_count; t < positions.size(); ++t) sum += positions[t].divergence;
  EXPECT_EQ(agreement.prediction_count, 116);
  EXPECT_NEAR(agreement.kl_divergence, sum / 116, 1e-4);  // as above
}

TEST_F(AgreementTest, ShortWindowsHaveFewerParts) {
  windows_ = {absl::MakeConstSpan(tokens_).first(50), absl::MakeConstSpan(tokens_).first(6)};
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row_);
  const Agreement agreement = MeasureAgreement(*row_, *executor, *Predictions(), {}).value();
  EXPECT_EQ(agreement.kl_by_position.size(), 5u);
  EXPECT_EQ(agreement.top1_by_position.size(), 5u);
}

TEST_F(AgreementTest, ACollapsedRowDivergesInfinitely) {
  TinyModelOptions options;
  options.dtype = Dtype::kF32;
  options.tie_word_embeddings = false;
  options.head_deviation = 5e37f;  // logits overflow
  const std::shared_ptr<const Model> row = Model::Load(MakeTinyModel(options)).value();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row);
  const Agreement agreement = MeasureAgreement(*row, *executor, *Predictions(), {}).value();
  EXPECT_TRUE(std::isinf(agreement.kl_divergence));
  EXPECT_LT(agreement.top1_agreement, 0.5);
}

TEST_F(AgreementTest, TellsOfEachWindowAndStops) {
  std::stop_source stop;
  std::vector<int64_t> done;
  PerplexityOptions options;
  options.stop = stop.get_token();
  options.on_window = [&](int64_t count) {
    done.push_back(count);
    stop.request_stop();
  };
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row_);
  EXPECT_EQ(MeasureAgreement(*row_, *executor, *Predictions(), options).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(done, std::vector<int64_t>{1});
  EXPECT_EQ(FloatPredictions::Create(model_, windows_, options).status().code(),
            absl::StatusCode::kCancelled);
}

TEST_F(AgreementTest, RefusesWhatCannotBeCompared) {
  EXPECT_EQ(FloatPredictions::Create(model_, {}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  windows_ = {absl::MakeConstSpan(tokens_).first(2)};
  PerplexityOptions options;
  options.skip_first_prediction = true;
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(row_);
  EXPECT_EQ(MeasureAgreement(*row_, *executor, *Predictions(options), options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq::testing
