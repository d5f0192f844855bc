#include "quant/train/trainable_executor.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "quant/model/int8_linear.h"
#include "quant/model/model_parts.h"
#include "quant/model/quantized_site.h"
#include "tests/support/rules.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr SiteId kSite = {0, SiteKind::kDownIn};
constexpr int64_t kTokens = 12;
constexpr float kScale = 0.015f;  // clips at 1.9: both inside and outside occur

at::Tensor RandomMatrix(int64_t rows, int64_t cols, uint32_t seed) {
  at::Tensor matrix = at::empty({rows, cols}, at::kFloat);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-3, 3);
  for (int64_t i = 0; i < matrix.numel(); ++i)
    matrix.mutable_data_ptr<float>()[i] = uniform(random);
  return matrix;
}

class TrainableExecutorTest : public ::testing::Test {
 protected:
  TrainableExecutorTest()
      : model_(Model::Load(MakeTinyModel()).value()),
        weights_(QuantizedWeights::Create(model_).value()),
        backward_(BackwardWeights::Create(weights_).value()),
        scales_(model_->sites().size(), kScale),
        linears_(model_->parts().linears[static_cast<size_t>(SiteIndex(kSite))]),
        in_(linears_.in_features),
        out_(linears_.out_features),
        x_(RandomMatrix(kTokens, in_, 3)),
        grad_y_(RandomMatrix(kTokens, out_, 4)) {}

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const QuantizedWeights> weights_;
  std::shared_ptr<const BackwardWeights> backward_;
  std::vector<float> scales_;
  const SiteLinears& linears_;
  int64_t in_;
  int64_t out_;
  at::Tensor x_;
  at::Tensor grad_y_;
};

TEST_F(TrainableExecutorTest, GivesTheValuesOfTheStaticExecutor) {
  for (const bool first_token_float : {false, true}) {
    TrainableExecutor executor(*backward_, StaticRules(scales_, first_token_float));
    const at::Tensor expected =
        StaticInt8Linear(weights_->site(kSite), x_, kScale, 8, first_token_float ? 1 : 0);
    const at::AutoGradMode with_grad(true);
    EXPECT_TRUE(executor.Run(kSite, x_, 1)->equal(expected));
  }
}

// LSQ's rule written out in double, with the dequantized weights.
TEST_F(TrainableExecutorTest, GradientsAreTheDefinition) {
  const ops::Quantized quantized = QuantizeSiteWeights(linears_, 8);
  const at::Tensor dequantized = quantized.codes.to(at::kFloat) * quantized.scales.unsqueeze(1);
  const float* const w = dequantized.const_data_ptr<float>();
  const float* const w_scales = quantized.scales.const_data_ptr<float>();
  for (const bool first_token_float : {false, true}) {
    const at::AutoGradMode with_grad(true);
    TrainableExecutor executor(*backward_, StaticRules(scales_, first_token_float));
    at::Tensor x = x_.clone().set_requires_grad(true);
    const at::Tensor y = executor.Run(kSite, x, 1).value();
    const std::vector<at::Tensor> grads =
        torch::autograd::grad({y}, {x, executor.scale(kSite)}, {grad_y_});

    double grad_scale = 0;
    double grad_scale_size = 0;
    for (int64_t t = 0; t < kTokens; ++t) {
      for (int64_t k = 0; k < in_; ++k) {
        double grad = 0;  // by the quantized activation
        double size = 0;
        double code_sum = 0;
        double row_absmax = 0;
        for (int64_t n = 0; n < out_; ++n) {
          const double weight_scale = static_cast<double>(w_scales[n]);
          code_sum += std::abs(static_cast<double>(w[n * in_ + k])) / weight_scale;
          row_absmax = std::max(
              row_absmax,
              std::abs(static_cast<double>(grad_y_.const_data_ptr<float>()[t * out_ + n])) *
                  weight_scale);
          const double term = static_cast<double>(grad_y_.const_data_ptr<float>()[t * out_ + n]) *
                              static_cast<double>(w[n * in_ + k]);
          grad += term;
          size += std::abs(term);
        }
        const double ratio = static_cast<double>(x_.const_data_ptr<float>()[t * in_ + k] / kScale);
        double passed = 1;
        if (!(first_token_float && t == 0)) {
          const double code = std::nearbyint(ratio);
          const bool inside = ratio >= -128 && ratio <= 127;
          passed = inside ? 1 : 0;
          grad_scale += grad * (inside ? code - ratio : std::clamp(code, -128.0, 127.0));
          grad_scale_size += size * (inside ? 0.5 : 128);
        }
        // Two INT8 rows leave an error of at most 2^-15 of the row's absmax in each element.
        ASSERT_NEAR(grads[0].const_data_ptr<float>()[t * in_ + k], passed * grad,
                    0x1p-15 * row_absmax * code_sum);
      }
    }
    EXPECT_NEAR(*grads[1].const_data_ptr<double>(), grad_scale, 1e-5 * grad_scale_size);
  }
}

TEST_F(TrainableExecutorTest, NoGraphWithoutGradients) {
  const at::NoGradGuard no_grad;
  TrainableExecutor executor(*backward_, StaticRules(scales_));
  EXPECT_FALSE(executor.Run(kSite, x_, 1)->requires_grad());
}

}  // namespace
}  // namespace sasq::testing
