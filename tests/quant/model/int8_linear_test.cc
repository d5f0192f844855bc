#include "quant/model/int8_linear.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/util/Exception.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "quant/model/model_parts.h"
#include "quant/model/quantized_weights.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr int64_t kTokens = 9;

class Int8LinearTest : public ::testing::Test {
 protected:
  Int8LinearTest() {
    TinyModelOptions options;
    options.mlp_bias = true;
    model_ = Model::Load(MakeTinyModel(options)).value();
    weights_ = QuantizedWeights::Create(model_).value();
    const SiteLinears& linears = model_->parts().linears[static_cast<size_t>(SiteIndex(kSite))];
    in_ = linears.in_features;
    out_ = linears.out_features;
    const at::Tensor bias = SiteBias(linears, at::kCPU).value();
    bias_.assign(bias.const_data_ptr<float>(), bias.const_data_ptr<float>() + out_);
    // The weights' codes and scales by the definition.
    std::vector<float> w(static_cast<size_t>(in_ * out_));
    CopySiteWeights(linears, w.data());
    for (int64_t n = 0; n < out_; ++n) {
      float absmax = 0;
      for (int64_t k = 0; k < in_; ++k) absmax = std::max(absmax, std::abs(w[n * in_ + k]));
      weight_scales_.push_back(absmax / 127);
      for (int64_t k = 0; k < in_; ++k) {
        weight_codes_.push_back(
            static_cast<int>(std::nearbyint(w[n * in_ + k] / weight_scales_.back())));
      }
    }
    x_ = at::empty({kTokens, in_}, at::kFloat);
    std::mt19937 random(7);
    std::uniform_real_distribution<float> uniform(-4, 4);
    float* value = x_.mutable_data_ptr<float>();
    for (int64_t i = 0; i < x_.numel(); ++i) value[i] = uniform(random);
  }

  const float* Row(int64_t t) const { return x_.const_data_ptr<float>() + t * in_; }

  // y[t, n] by the definition, from codes; float operations as in kernels/gemm.h.
  float Expected(int64_t t, int64_t n, float scale, float smallest = -128,
                 float largest = 127) const {
    int32_t sum = 0;
    for (int64_t k = 0; k < in_; ++k) {
      const int code =
          static_cast<int>(std::clamp(std::nearbyint(Row(t)[k] / scale), smallest, largest));
      sum += code * weight_codes_[static_cast<size_t>(n * in_ + k)];
    }
    return static_cast<float>(sum) * (scale * weight_scales_[static_cast<size_t>(n)]) +
           bias_[static_cast<size_t>(n)];
  }

  // Row 0 against the product in double.
  void ExpectFirstRowInFloat(const at::Tensor& y) const {
    float absmax = 0;
    for (int64_t k = 0; k < in_; ++k) absmax = std::max(absmax, std::abs(Row(0)[k]));
    for (int64_t n = 0; n < out_; ++n) {
      double want = static_cast<double>(bias_[static_cast<size_t>(n)]);
      double weight_sum = 0;
      for (int64_t k = 0; k < in_; ++k) {
        const double weight = static_cast<double>(weight_scales_[static_cast<size_t>(n)]) *
                              weight_codes_[static_cast<size_t>(n * in_ + k)];
        want += static_cast<double>(Row(0)[k]) * weight;
        weight_sum += std::abs(weight);
      }
      // Each activation may be off by 2^-23 of the row's absmax, as in a float32 product.
      EXPECT_NEAR(y.const_data_ptr<float>()[n], want,
                  0x1p-23 * static_cast<double>(absmax) * weight_sum);
    }
  }

  static constexpr SiteId kSite = {1, SiteKind::kGateUpIn};
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const QuantizedWeights> weights_;
  int64_t in_ = 0;
  int64_t out_ = 0;
  std::vector<float> bias_;
  std::vector<float> weight_scales_;
  std::vector<int> weight_codes_;
  at::Tensor x_;
};

TEST_F(Int8LinearTest, StaticIsTheDefinition) {
  const float scale = 0.02f;  // clips at 2.54: both inside and outside occur
  const at::Tensor y = StaticInt8Linear(weights_->site(kSite), x_, scale, 8, 0);
  for (int64_t t = 0; t < kTokens; ++t) {
    for (int64_t n = 0; n < out_; ++n) {
      ASSERT_EQ(y.const_data_ptr<float>()[t * out_ + n], Expected(t, n, scale));
    }
  }
}

TEST_F(Int8LinearTest, DynamicIsTheDefinition) {
  const at::Tensor y = DynamicInt8Linear(weights_->site(kSite), x_, 8, 0);
  for (int64_t t = 0; t < kTokens; ++t) {
    float absmax = 0;
    for (int64_t k = 0; k < in_; ++k) absmax = std::max(absmax, std::abs(Row(t)[k]));
    for (int64_t n = 0; n < out_; ++n) {
      ASSERT_EQ(y.const_data_ptr<float>()[t * out_ + n], Expected(t, n, absmax / 127));
    }
  }
}

// The float path that training papers write: dequantized activations times dequantized weights.
TEST_F(Int8LinearTest, AgreesWithFakeQuantizationInFloat) {
  const float scale = 0.02f;
  const at::Tensor y = StaticInt8Linear(weights_->site(kSite), x_, scale, 8, 0);
  for (int64_t t = 0; t < kTokens; ++t) {
    for (int64_t n = 0; n < out_; ++n) {
      float sum = 0;
      float size = 0;
      for (int64_t k = 0; k < in_; ++k) {
        const float x_hat = scale * std::clamp(std::nearbyint(Row(t)[k] / scale), -128.0f, 127.0f);
        const float w_hat = weight_scales_[static_cast<size_t>(n)] *
                            static_cast<float>(weight_codes_[static_cast<size_t>(n * in_ + k)]);
        sum += x_hat * w_hat;
        size += std::abs(x_hat * w_hat);
      }
      // in_features + 3 float32 roundings of at most 2^-24 of the sum of magnitudes each.
      EXPECT_NEAR(y.const_data_ptr<float>()[t * out_ + n], sum + bias_[static_cast<size_t>(n)],
                  size * static_cast<float>(in_ + 3) * 0x1p-24f);
    }
  }
}

TEST_F(Int8LinearTest, FirstTokenStaysInFloat) {
  x_.mutable_data_ptr<float>()[3] = 2800;  // a massive activation
  const float scale = 0.02f;
  const at::Tensor y = StaticInt8Linear(weights_->site(kSite), x_, scale, 8, 1);
  ExpectFirstRowInFloat(y);
  for (int64_t n = 0; n < out_; ++n) {
    ASSERT_EQ(y.const_data_ptr<float>()[out_ + n], Expected(1, n, scale));
  }
  ExpectFirstRowInFloat(DynamicInt8Linear(weights_->site(kSite), x_, 8, 1));
}

TEST_F(Int8LinearTest, ASequenceOfOneToken) {
  const at::Tensor y = StaticInt8Linear(weights_->site(kSite), x_.narrow(0, 0, 1), 0.02f, 8, 1);
  ExpectFirstRowInFloat(y);
}

// Leading copies of the first token stay in float as it does.
TEST_F(Int8LinearTest, SeveralRowsStayInFloat) {
  x_.narrow(0, 1, 1).copy_(x_.narrow(0, 0, 1));
  const at::Tensor y = StaticInt8Linear(weights_->site(kSite), x_, 0.02f, 8, 2);
  ExpectFirstRowInFloat(y);
  EXPECT_TRUE(y[0].equal(y[1]));
  EXPECT_EQ(y.const_data_ptr<float>()[2 * out_], Expected(2, 0, 0.02f));
}

// Fewer bits: the largest code is 2^(bits - 1) - 1.
TEST_F(Int8LinearTest, FewerBitsAreTheDefinition) {
  for (const int bits : {4, 6}) {
    const float largest = static_cast<float>((1 << (bits - 1)) - 1);
    const at::Tensor clipped = StaticInt8Linear(weights_->site(kSite), x_, 0.2f, bits, 0);
    const at::Tensor rows = DynamicInt8Linear(weights_->site(kSite), x_, bits, 0);
    for (int64_t t = 0; t < kTokens; ++t) {
      float absmax = 0;
      for (int64_t k = 0; k < in_; ++k) absmax = std::max(absmax, std::abs(Row(t)[k]));
      for (int64_t n = 0; n < out_; ++n) {
        ASSERT_EQ(clipped.const_data_ptr<float>()[t * out_ + n],
                  Expected(t, n, 0.2f, -largest - 1, largest));
        ASSERT_EQ(rows.const_data_ptr<float>()[t * out_ + n],
                  Expected(t, n, absmax / largest, -largest, largest));
      }
    }
  }
}

TEST_F(Int8LinearTest, DynamicRefusesWhatIsNotFinite) {
  x_.mutable_data_ptr<float>()[2 * in_ + 1] = NAN;
  EXPECT_THROW(DynamicInt8Linear(weights_->site(kSite), x_, 8, 0), c10::ValueError);
}

}  // namespace
}  // namespace sasq::testing
