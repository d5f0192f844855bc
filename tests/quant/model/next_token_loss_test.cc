#include "quant/model/next_token_loss.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>
#include <vector>

#include "quant/model/model_parts.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

// A vocabulary so large that the logits of the sequence come in several chunks.
class NextTokenLossTest : public ::testing::Test {
 protected:
  static constexpr int64_t kTokens = 330;
  static constexpr int64_t kVocabSize = 120'000;
  static constexpr int64_t kHidden = 16;

  NextTokenLossTest() {
    TinyModelOptions options;
    options.vocab_size = kVocabSize;
    options.hidden_size = kHidden;
    options.layer_count = 1;
    model_ = Model::Load(MakeTinyModel(options)).value();
    hidden_ = at::empty({kTokens, kHidden}, at::kFloat);
    for (int64_t i = 0; i < hidden_.numel(); ++i) {
      hidden_.mutable_data_ptr<float>()[i] =
          static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
    }
    for (int64_t t = 0; t < kTokens; ++t) {
      tokens_.push_back(static_cast<int32_t>(t * 7919 % kVocabSize));
    }
    head_ = DecodeWeights(model_->parts().head);
  }

  // softmax of the logits of row t.
  std::vector<double> Probabilities(int64_t t) const {
    std::vector<double> p;
    double sum = 0;
    for (int64_t v = 0; v < kVocabSize; ++v) {
      double logit = 0;
      for (int64_t k = 0; k < kHidden; ++k) {
        logit += static_cast<double>(hidden_.const_data_ptr<float>()[t * kHidden + k]) *
                 head_[static_cast<size_t>(v * kHidden + k)];
      }
      p.push_back(std::exp(logit));
      sum += p.back();
    }
    for (double& value : p) value /= sum;
    return p;
  }

  std::shared_ptr<const Model> model_;
  at::Tensor hidden_;
  std::vector<int32_t> tokens_;
  std::vector<double> head_;
};

TEST_F(NextTokenLossTest, LossAndGradientAreTheDefinition) {
  at::Tensor gradient;
  const SequenceLoss loss =
      NextTokenLoss(*model_).Compute(hidden_, tokens_, 1, {}, &gradient).value();
  EXPECT_EQ(loss.count, kTokens - 2);
  double sum = 0;
  for (int64_t t = 0; t < kTokens; ++t) {
    std::vector<double> want(kHidden);
    if (t >= 1 && t < kTokens - 1) {
      std::vector<double> p = Probabilities(t);
      const size_t target = static_cast<size_t>(tokens_[static_cast<size_t>(t + 1)]);
      sum -= std::log(p[target]);
      p[target] -= 1;
      for (int64_t v = 0; v < kVocabSize; ++v) {
        for (int64_t k = 0; k < kHidden; ++k) {
          want[static_cast<size_t>(k)] += p[static_cast<size_t>(v)] *
                                          head_[static_cast<size_t>(v * kHidden + k)] /
                                          static_cast<double>(loss.count);
        }
      }
    }
    for (int64_t k = 0; k < kHidden; ++k) {
      // Elements are of order 1 / count; a float32 sum over the vocabulary of terms p * w loses
      // about 1e-6 of it.
      ASSERT_NEAR(gradient.const_data_ptr<float>()[t * kHidden + k], want[static_cast<size_t>(k)],
                  1e-6 / static_cast<double>(loss.count) * 10);
    }
  }
  // Losses are about 11 each, with logits of float32: a few units of 2^-24 of that.
  EXPECT_NEAR(loss.sum_nats, sum, 1e-5 * static_cast<double>(loss.count));
}

TEST_F(NextTokenLossTest, RefusesASequenceWithNothingToPredict) {
  EXPECT_EQ(NextTokenLoss(*model_)
                .Compute(hidden_.narrow(0, 0, 2), absl::MakeConstSpan(tokens_).first(2), 1)
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(NextTokenLossTest, Stops) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(NextTokenLoss(*model_).Compute(hidden_, tokens_, 0, stop.get_token()).status().code(),
            absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace sasq::testing
