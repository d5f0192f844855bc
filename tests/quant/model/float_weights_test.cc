#include "quant/model/float_weights.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "tests/quant/model/naive_model.h"

namespace sasq::testing {
namespace {

// Every 16-bit pattern, from an address that is not aligned.
class FloatWeightsTest : public ::testing::TestWithParam<Dtype> {
 protected:
  FloatWeightsTest() {
    bytes_.push_back('x');
    for (uint32_t bits = 0; bits < 65536; ++bits) {
      bytes_.push_back(static_cast<char>(bits & 0xff));
      bytes_.push_back(static_cast<char>(bits >> 8));
    }
    view_.dtype = GetParam();
    view_.shape = {65536};
    view_.bytes = absl::string_view(bytes_).substr(1);
  }

  std::string bytes_;
  TensorView view_;
};

TEST_P(FloatWeightsTest, ConvertsEveryPatternExactly) {
  const std::vector<double> expected = DecodeWeights(view_);
  std::vector<float> values(65536);
  CopyAsFloat(view_, 0, 65536, values.data());
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(expected[i])) {
      ASSERT_TRUE(std::isnan(values[i])) << "pattern " << i;
    } else {
      ASSERT_EQ(static_cast<double>(values[i]), expected[i]) << "pattern " << i;
      ASSERT_EQ(std::signbit(values[i]), std::signbit(expected[i])) << "pattern " << i;
    }
  }
}

TEST_P(FloatWeightsTest, ConvertsAPart) {
  std::vector<float> whole(65536);
  CopyAsFloat(view_, 0, 65536, whole.data());
  std::vector<float> part(1000);
  CopyAsFloat(view_, 3333, 1000, part.data());
  EXPECT_EQ(std::memcmp(part.data(), whole.data() + 3333, 1000 * sizeof(float)), 0);
}

INSTANTIATE_TEST_SUITE_P(HalfTypes, FloatWeightsTest, ::testing::Values(Dtype::kF16, Dtype::kBF16),
                         [](const auto& variant) { return std::string(DtypeName(variant.param)); });

}  // namespace
}  // namespace sasq::testing
