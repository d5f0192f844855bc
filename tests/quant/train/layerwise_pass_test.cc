#include "quant/train/layerwise_pass.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <vector>

#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr int kLayerCount = 3;

// y = (s x) W^T with a leaf s for each site.
class ScaledExecutor final : public SiteExecutor {
 public:
  explicit ScaledExecutor(const Model& model) {
    FloatLinears linears(model);
    for (const SiteId site : model.sites()) {
      weights_.push_back(linears.Weights(site).clone());
      scales.push_back(at::ones({1}, at::kFloat).set_requires_grad(true));
    }
  }

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t) override {
    ++run_count;
    const size_t i = static_cast<size_t>(SiteIndex(site));
    return at::linear(x * scales[i], weights_[i]);
  }

  std::vector<at::Tensor> scales;
  int run_count = 0;

 private:
  std::vector<at::Tensor> weights_;
};

class LayerwisePassTest : public ::testing::Test {
 protected:
  LayerwisePassTest() {
    TinyModelOptions options;
    options.intermediate_size = 8192;  // so that graphs of two layers alone fit
    options.layer_count = kLayerCount;
    model_ = Model::Load(MakeTinyModel(options)).value();
    for (int32_t i = 0; i < 512; ++i) tokens_.push_back((i * i * 5 + i * 3 + 1) % 256);
  }

  std::shared_ptr<const Model> model_;
  std::vector<int32_t> tokens_;
};

TEST_F(LayerwisePassTest, GivesTheGradientsOfOneGraph) {
  ScaledExecutor layerwise(*model_);
  LayerwisePass pass(*model_, layerwise, tokens_, {});
  const at::Tensor hidden = pass.Forward().value();
  const at::Tensor weight = at::ones_like(hidden) + hidden * 0.1;
  ASSERT_TRUE(pass.Backward(weight).ok());
  // Some layers kept their graph and some did not, or this test would miss one of both ways.
  EXPECT_GT(layerwise.run_count, kLayerCount * kSiteKindCount);
  EXPECT_LT(layerwise.run_count, 2 * kLayerCount * kSiteKindCount);

  ScaledExecutor whole(*model_);
  const at::AutoGradMode with_grad(true);
  const Decoder decoder(*model_, {.token_count = 512}, 0);
  at::Tensor state = decoder.Embed(tokens_).value();
  for (int layer = 0; layer < kLayerCount; ++layer) {
    state = decoder.RunLayer(layer, state, whole, {}).value();
  }
  const at::Tensor normed = decoder.FinalNorm(state);
  EXPECT_TRUE(at::equal(normed, hidden));
  torch::autograd::backward({normed}, {weight});
  for (size_t i = 0; i < whole.scales.size(); ++i) {
    // The same operations in the same order.
    EXPECT_EQ(layerwise.scales[i].grad().item<float>(), whole.scales[i].grad().item<float>()) << i;
    EXPECT_NE(whole.scales[i].grad().item<float>(), 0) << i;
  }
}

TEST_F(LayerwisePassTest, StopsAndRefusesTokens) {
  ScaledExecutor executor(*model_);
  std::stop_source stop;
  LayerwisePass pass(*model_, executor, tokens_, {.stop = stop.get_token()});
  const at::Tensor hidden = pass.Forward().value();
  stop.request_stop();
  EXPECT_EQ(pass.Backward(hidden).code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(LayerwisePass(*model_, executor, tokens_, {.stop = stop.get_token()})
                .Forward()
                .status()
                .code(),
            absl::StatusCode::kCancelled);
  for (const std::vector<int32_t>& tokens :
       {std::vector<int32_t>{}, std::vector<int32_t>{1, 300}}) {
    EXPECT_EQ(LayerwisePass(*model_, executor, tokens, {}).Forward().status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace sasq::testing
