#include "quant/model/device_weights.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

// On the CPU, where a copy to the device gives the same tensor: what is tested is what is kept, and
// that values are those of CopySiteWeights.
class DeviceWeightsTest : public ::testing::Test {
 protected:
  // Whether Get gives every site's weights, twice.
  void ExpectWeights(DeviceWeights& weights) const {
    const Model::Parts& parts = model_->parts();
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < parts.linears.size(); ++i) {
        const SiteLinears& linears = parts.linears[i];
        const at::Tensor got = weights.Get(i, linears);
        ASSERT_EQ(got.sizes(), at::IntArrayRef({linears.out_features, linears.in_features}));
        std::vector<float> expected(static_cast<size_t>(got.numel()));
        CopySiteWeights(linears, expected.data());
        const float* const values = got.const_data_ptr<float>();
        ASSERT_EQ(std::vector<float>(values, values + got.numel()), expected) << "site " << i;
      }
    }
  }

  int64_t StoredBytes(size_t site) const {
    int64_t bytes = 0;
    for (const TensorView& view : model_->parts().linears[site].weights) {
      bytes += static_cast<int64_t>(view.bytes.size());
    }
    return bytes;
  }

  const std::shared_ptr<const Model> model_ = Model::Load(MakeTinyModel({})).value();
};

TEST_F(DeviceWeightsTest, KeepsEverySiteAsItIsStored) {
  DeviceWeights weights(at::kCPU, int64_t{1} << 40);
  ExpectWeights(weights);
  int64_t stored = 0;
  for (size_t i = 0; i < model_->parts().linears.size(); ++i) stored += StoredBytes(i);
  EXPECT_EQ(weights.kept_bytes(), stored);
}

TEST_F(DeviceWeightsTest, KeepsNoMoreThanItMay) {
  DeviceWeights weights(at::kCPU, StoredBytes(0));
  ExpectWeights(weights);
  EXPECT_EQ(weights.kept_bytes(), StoredBytes(0));
}

TEST_F(DeviceWeightsTest, KeepsNothing) {
  DeviceWeights weights(at::kCPU, 0);
  ExpectWeights(weights);
  EXPECT_EQ(weights.kept_bytes(), 0);
}

}  // namespace
}  // namespace sasq::testing
