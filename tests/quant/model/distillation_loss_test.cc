#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>
#include <vector>

#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

// A vocabulary so large that the logits of the sequence come in several chunks.
class DistillationLossTest : public ::testing::Test {
 protected:
  static constexpr int64_t kTokens = 200;
  static constexpr int64_t kVocabSize = 120'000;
  static constexpr int64_t kHidden = 16;

  DistillationLossTest() {
    TinyModelOptions options;
    options.vocab_size = kVocabSize;
    options.hidden_size = kHidden;
    options.layer_count = 1;
    model_ = Model::Load(MakeTinyModel(options)).value();
    teacher_ = at::empty({kTokens, kHidden}, at::kFloat);
    student_ = at::empty({kTokens, kHidden}, at::kFloat);
    for (int64_t i = 0; i < teacher_.numel(); ++i) {
      const double angle = 0.7 * static_cast<double>(i);
      teacher_.mutable_data_ptr<float>()[i] = static_cast<float>(std::sin(angle));
      student_.mutable_data_ptr<float>()[i] =
          static_cast<float>(std::sin(angle) + 0.3 * std::cos(1.3 * angle));
    }
    head_ = DecodeWeights(model_->parts().head);
  }

  // ln softmax of the logits of row t.
  std::vector<double> LogProbabilities(const at::Tensor& hidden, int64_t t) const {
    std::vector<double> logits;
    double sum = 0;
    for (int64_t v = 0; v < kVocabSize; ++v) {
      double logit = 0;
      for (int64_t k = 0; k < kHidden; ++k) {
        logit += static_cast<double>(hidden.const_data_ptr<float>()[t * kHidden + k]) *
                 head_[static_cast<size_t>(v * kHidden + k)];
      }
      logits.push_back(logit);
      sum += std::exp(logit);
    }
    for (double& logit : logits) logit -= std::log(sum);
    return logits;
  }

  std::shared_ptr<const Model> model_;
  at::Tensor teacher_, student_;
  std::vector<double> head_;
};

TEST_F(DistillationLossTest, DivergenceAndGradientAreTheDefinition) {
  constexpr int64_t kFirst = 3;
  at::Tensor gradient;
  const SequenceLoss loss =
      NextTokenLoss(*model_).ComputeDistillation(student_, teacher_, kFirst, {}, &gradient).value();
  EXPECT_EQ(loss.count, kTokens - kFirst);
  double sum = 0;
  for (int64_t t = 0; t < kTokens; ++t) {
    std::vector<double> want(kHidden);
    if (t >= kFirst) {
      const std::vector<double> p = LogProbabilities(teacher_, t);
      const std::vector<double> q = LogProbabilities(student_, t);
      for (size_t v = 0; v < p.size(); ++v) {
        sum += std::exp(p[v]) * (p[v] - q[v]);
        const double grad_logit =
            (std::exp(q[v]) - std::exp(p[v])) / static_cast<double>(loss.count);
        for (size_t k = 0; k < want.size(); ++k) want[k] += grad_logit * head_[v * kHidden + k];
      }
    }
    for (int64_t k = 0; k < kHidden; ++k) {
      // Elements are of order 1 / count; a float32 sum over the vocabulary of terms (q - p) * w
      // loses about 1e-6 of it.
      ASSERT_NEAR(gradient.const_data_ptr<float>()[t * kHidden + k], want[static_cast<size_t>(k)],
                  1e-6 / static_cast<double>(loss.count) * 10);
    }
  }
  EXPECT_GT(sum / static_cast<double>(loss.count), 0.05);  // far above the tolerance
  // Logits of float32 are good to a few units of 2^-24 of 10.
  EXPECT_NEAR(loss.sum_nats, sum, 3e-6 * static_cast<double>(loss.count));
}

TEST_F(DistillationLossTest, OfATeacherFromItselfIsNothing) {
  at::Tensor gradient;
  const SequenceLoss loss =
      NextTokenLoss(*model_).ComputeDistillation(teacher_, teacher_, 0, {}, &gradient).value();
  // The same sums in the same order.
  EXPECT_EQ(loss.sum_nats, 0);
  EXPECT_EQ(gradient.abs().max().item<float>(), 0);
}

TEST_F(DistillationLossTest, SharesItsRoomWithCrossEntropy) {
  std::vector<int32_t> tokens(kTokens, 7);
  NextTokenLoss shared(*model_);
  shared.ComputeDistillation(student_, teacher_, 0).value();
  const double after = shared.Compute(student_, tokens, 0).value().sum_nats;
  EXPECT_EQ(after, NextTokenLoss(*model_).Compute(student_, tokens, 0).value().sum_nats);
}

TEST_F(DistillationLossTest, RefusesASequenceWithNothingToPredictAndStops) {
  NextTokenLoss loss(*model_);
  EXPECT_EQ(loss.ComputeDistillation(student_, teacher_, kTokens).status().code(),
            absl::StatusCode::kInvalidArgument);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(loss.ComputeDistillation(student_, teacher_, 0, stop.get_token()).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace sasq::testing
