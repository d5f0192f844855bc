#include "quant/train/scale_gradients.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <stop_token>
#include <vector>

#include "quant/eval/perplexity.h"
#include "quant/model/forward.h"
#include "quant/model/site_executor.h"
#include "tests/support/plain_executor.h"
#include "tests/support/rules.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

class ScaleGradientsTest : public ::testing::Test {
 protected:
  ScaleGradientsTest() {
    TinyModelOptions options;
    options.architecture = "Qwen2ForCausalLM";  // with biases
    model_ = Model::Load(MakeTinyModel(options)).value();
    loss_ = std::make_unique<NextTokenLoss>(*model_);
    weights_ = QuantizedWeights::Create(model_).value();
    backward_ = BackwardWeights::Create(weights_).value();
    for (size_t i = 0; i < model_->sites().size(); ++i) {
      scales_.push_back(0.01f + 0.003f * static_cast<float>(i));
    }
    for (int32_t i = 0; i < 48; ++i) window_.push_back((i * i * 5 + i * 3 + 1) % 256);
  }

  absl::StatusOr<ScaleGradients> Gradients(const QuantizationRules& rules,
                                           std::stop_token stop = {}) {
    return ComputeScaleGradients(
        *backward_, *loss_, rules,
        {.tokens = window_, .first_position = rules.leading_tokens_float ? 1 : 0}, stop);
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<NextTokenLoss> loss_;
  std::shared_ptr<const QuantizedWeights> weights_;
  std::shared_ptr<const BackwardWeights> backward_;
  std::vector<float> scales_;
  std::vector<int32_t> window_;
};

// Two implementations that share no backward code: INT8 products with closed forms layer by layer,
// and float32 with elementwise operators under one autograd graph.
TEST_F(ScaleGradientsTest, AgreesWithAutogradOnThePlainWay) {
  const ScaleGradients ours = Gradients(StaticRules(scales_)).value();
  PlainExecutor executor(*weights_, scales_);
  const PlainGradients plain = ComputePlainGradients(*model_, executor, window_);
  // float32 sums in another order move activations by 1e-6 or so. Next to a rounding boundary that
  // flips a code, which moves everything behind it by up to s * w: some 1e-4 of a gradient.
  EXPECT_NEAR(ours.loss, plain.loss, 1e-3 * plain.loss);
  double norm = 0;
  for (const double gradient : plain.gradient) norm = std::max(norm, std::abs(gradient));
  EXPECT_GT(norm, 0);
  for (size_t i = 0; i < scales_.size(); ++i) {
    EXPECT_NEAR(ours.gradient[i], plain.gradient[i], 5e-3 * norm) << SiteName(model_->sites()[i]);
  }
}

// The loss of a step is the loss that evaluation gives for the same scales, to the bit.
TEST_F(ScaleGradientsTest, LossIsThatOfTheEvaluator) {
  for (const bool first_token_float : {false, true}) {
    const ScaleGradients gradients = Gradients(StaticRules(scales_, first_token_float)).value();
    const std::unique_ptr<SiteExecutor> executor =
        MakeQuantizedExecutor(weights_, StaticRules(scales_, first_token_float)).value();
    PerplexityOptions options;
    options.skip_first_prediction = first_token_float;
    const std::vector<EvaluationWindow> windows = {{.tokens = window_}};
    const PerplexityResult result =
        EvaluatePerplexity(*model_, *executor, windows, options).value();
    EXPECT_EQ(gradients.loss, result.windows[0].mean_nats);
  }
}

// Against the difference quotient of the divergence itself. Rounding makes the loss a staircase, so
// the clipping site is the one to look at: activations beyond the clip move with the scale.
TEST_F(ScaleGradientsTest, DivergenceHasTheGradientOfClippedActivations) {
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model_);
  const at::Tensor teacher = Forward(*model_, window_, *executor).value();
  QuantizationRules rules = StaticRules(scales_);
  for (SiteRule& rule : rules.sites) rule.precision = SitePrecision::kFloat;
  rules.sites[2] = {SitePrecision::kClipped, 0.004f};
  const auto gradients = [&](float scale) {
    rules.sites[2].scale = scale;
    return ComputeScaleGradients(*backward_, *loss_, rules,
                                 {.tokens = window_, .teacher_hidden = &teacher}, {})
        .value();
  };
  const double at_scale = gradients(0.004f).gradient[2];
  const double quotient = (gradients(0.00402f).loss - gradients(0.00398f).loss) / 0.00004;
  EXPECT_LT(at_scale, 0);  // more room, less divergence
  // A quotient over 1% of a float32 loss of order 0.1, and values that begin or cease to clip.
  EXPECT_NEAR(at_scale, quotient, 0.03 * std::abs(quotient));
}

TEST_F(ScaleGradientsTest, SameBitsAgain) {
  const ScaleGradients first = Gradients(StaticRules(scales_)).value();
  const ScaleGradients second = Gradients(StaticRules(scales_)).value();
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(first.gradient, second.gradient);
}

TEST_F(ScaleGradientsTest, StopsAndRefusesScalesThatAreNone) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(Gradients(StaticRules(scales_), stop.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  for (const float bad : {0.0f, -1.0f, NAN, INFINITY}) {
    std::vector<float> scales = scales_;
    scales[3] = bad;
    const absl::Status status = Gradients(StaticRules(scales)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("layers.0.down_in"), absl::string_view::npos);
  }
  scales_.pop_back();
  EXPECT_EQ(Gradients(StaticRules(scales_)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq::testing
