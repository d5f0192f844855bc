#include "kernels/quantize.h"

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernels/testing_parallel.h"

namespace sasq::kernels {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
constexpr float kMax = std::numeric_limits<float>::max();

// The definition, by the standard library's own rounding (half to even by default).
int8_t ReferenceCode(float x, float scale) {
  const float v = x / scale;
  if (std::isnan(v)) return 0;
  return static_cast<int8_t>(std::fmin(std::fmax(std::nearbyint(v), -128.0f), 127.0f));
}

// Values of all sizes, every half-way point of the range, its ends and neighbours, and specials.
std::vector<float> DifficultValues(float scale, size_t count, uint32_t seed) {
  std::vector<float> values = {kInfinity, -kInfinity, kNan, -kNan, 0.0f,  -0.0f,
                               kDenormal, -kDenormal, kMax, -kMax, 1e-38f};
  for (int code = -130; code <= 130; ++code) {
    const float half = (static_cast<float>(code) + 0.5f) * scale;
    for (float value : {half, std::nextafter(half, kInfinity), std::nextafter(half, -kInfinity),
                        static_cast<float>(code) * scale}) {
      values.push_back(value);
    }
  }
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 60.0f * scale);
  while (values.size() < count) values.push_back(normal(random));
  std::shuffle(values.begin(), values.end(), random);
  values.resize(count);
  return values;
}

class QuantizeTest : public PathTest {};

TEST_P(QuantizeTest, StaticEqualsTheDefinition) {
  for (float scale : {1.0f, 0.0371f, 3.3e-5f, 1e30f, 1e-38f, kDenormal}) {
    for (int64_t cols : {1, 3, 16, 63, 1201, 40000}) {
      const auto x = DifficultValues(scale, static_cast<size_t>(cols), 1);
      std::vector<int8_t> codes(x.size());
      const absl::Status status =
          QuantizeStatic(GetParam(), x.data(), 1, cols, scale, codes.data(), SerialFor);
      ASSERT_TRUE(status.ok()) << status;
      for (size_t i = 0; i < x.size(); ++i) {
        ASSERT_EQ(int{codes[i]}, int{ReferenceCode(x[i], scale)}) << x[i] << " / " << scale;
      }
    }
  }
}

TEST_P(QuantizeTest, HalvesGoToTheEvenCode) {
  const std::vector<float> x = {0.5f,   1.5f,    2.5f,    -0.5f, -1.5f,     -2.5f,     126.5f,
                                127.5f, -128.5f, -129.0f, kNan,  kInfinity, -kInfinity};
  std::vector<int8_t> codes(x.size());
  ASSERT_TRUE(QuantizeStatic(GetParam(), x.data(), 1, 13, 1.0f, codes.data(), SerialFor).ok());
  EXPECT_THAT(codes, ElementsAre(0, 2, 2, 0, -2, -2, 126, 127, -128, -128, 0, 127, -128));
}

TEST_P(QuantizeTest, PerTokenEqualsTheDefinition) {
  for (int64_t cols : {1, 5, 64, 577}) {
    constexpr int64_t kRows = 9;
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    std::vector<float> x;
    for (int64_t i = 0; i < kRows * cols; ++i) {
      x.push_back(normal(random) * std::pow(10.0f, static_cast<float>(i / cols) - 4.0f));
    }
    for (auto quantize : {QuantizePerToken, QuantizeWeights}) {
      std::vector<int8_t> codes(x.size());
      std::vector<float> scales(kRows);
      const absl::Status status =
          quantize(GetParam(), x.data(), kRows, cols, codes.data(), scales.data(), ShufflingFor(1));
      ASSERT_TRUE(status.ok()) << status;
      for (int64_t r = 0; r < kRows; ++r) {
        float magnitude = 0.0f;
        for (int64_t c = 0; c < cols; ++c) {
          magnitude = std::fmax(magnitude, std::fabs(x[r * cols + c]));
        }
        ASSERT_EQ(scales[r], magnitude / 127.0f);
        for (int64_t c = 0; c < cols; ++c) {
          ASSERT_EQ(int{codes[r * cols + c]}, int{ReferenceCode(x[r * cols + c], scales[r])});
          ASSERT_GE(codes[r * cols + c], -127);
        }
      }
    }
  }
}

TEST_P(QuantizeTest, RowsOfZerosAndOfTinyValuesGetScaleOne) {
  const std::vector<float> x = {0.0f,    -0.0f, kDenormal, -kDenormal, 1e-36f,
                                -1e-36f, kMax,  -kMax,     2e-36f,     -2e-36f};
  std::vector<int8_t> codes(x.size(), 5);
  std::vector<float> scales(5);
  ASSERT_TRUE(
      QuantizePerToken(GetParam(), x.data(), 5, 2, codes.data(), scales.data(), SerialFor).ok());
  EXPECT_THAT(scales, ElementsAre(1.0f, 1.0f, 1.0f, kMax / 127.0f, 2e-36f / 127.0f));
  EXPECT_THAT(codes, ElementsAre(0, 0, 0, 0, 0, 0, 127, -127, 127, -127));
}

TEST_P(QuantizeTest, PerTokenNamesTheFirstRowThatIsNotFinite) {
  for (float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
    std::vector<float> x(50 * 33, 1.0f);
    x[7 * 33 + 32] = bad;
    x[20 * 33] = bad;
    std::vector<int8_t> codes(x.size());
    std::vector<float> scales(50);
    for (uint32_t seed = 0; seed < 3; ++seed) {
      const absl::Status status = QuantizePerToken(GetParam(), x.data(), 50, 33, codes.data(),
                                                   scales.data(), ShufflingFor(seed));
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(status.message(), HasSubstr("row 7 of 50"));
    }
  }
}

// The gradient by its definition, element by element in double.
struct Gradient {
  std::vector<float> grad_x;
  double grad_scale = 0;
  double magnitude = 0;  // sum of the terms' absolute values
};

Gradient ReferenceGradient(const std::vector<float>& x, const std::vector<float>& grad,
                           float scale) {
  Gradient reference;
  for (size_t i = 0; i < x.size(); ++i) {
    const float v = x[i] / scale;
    const bool inside = v > -128.0f && v < 127.0f;
    double slope = 0;
    if (inside) slope = std::nearbyint(v) - static_cast<double>(v);
    if (v >= 127.0f) slope = 127;
    if (v <= -128.0f) slope = -128;
    reference.grad_x.push_back(inside ? grad[i] : 0.0f);
    reference.grad_scale += grad[i] * slope;
    reference.magnitude += std::fabs(grad[i] * slope);
  }
  return reference;
}

TEST_P(QuantizeTest, BackwardEqualsTheDefinition) {
  for (int64_t cols : {1, 15, 17, 255, 257, 4096, 4097, 30001}) {
    constexpr float kScale = 0.0371f;
    const auto x = DifficultValues(kScale, static_cast<size_t>(cols), 2);
    std::vector<float> grad;
    std::mt19937 random(4);
    std::normal_distribution<float> normal(0.0f, 1.0f);
    for (size_t i = 0; i < x.size(); ++i) grad.push_back(normal(random));
    const Gradient want = ReferenceGradient(x, grad, kScale);
    std::vector<float> grad_x(x.size());
    double grad_scale = 0;
    const absl::Status status = FakeQuantizeBackward(GetParam(), x.data(), grad.data(), 1, cols,
                                                     kScale, grad_x.data(), &grad_scale, SerialFor);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(grad_x, want.grad_x);
    // Both add the same exact products; each of n sums rounds by at most 2^-53 of the whole.
    EXPECT_NEAR(grad_scale, want.grad_scale,
                static_cast<double>(cols) * std::ldexp(1.0, -53) * want.magnitude);
  }
}

TEST_P(QuantizeTest, BackwardIsTheSlopeOfTheForwardOutsideTheRange) {
  // Outside, x_hat = bound * s exactly, so the slope in s is the bound.
  const std::vector<float> x = {500.0f, -500.0f, 127.0f, -128.0f, 3.0f, kNan};
  const std::vector<float> grad = {1.0f, 10.0f, 100.0f, 1000.0f, 1e4f, 1e5f};
  std::vector<float> grad_x(6);
  double grad_scale = 0;
  ASSERT_TRUE(FakeQuantizeBackward(GetParam(), x.data(), grad.data(), 1, 6, 1.0f, grad_x.data(),
                                   &grad_scale, SerialFor)
                  .ok());
  EXPECT_EQ(grad_scale, 127.0 - 1280.0 + 12700.0 - 128000.0);
  EXPECT_THAT(grad_x, ElementsAre(0.0f, 0.0f, 0.0f, 0.0f, 1e4f, 0.0f));
}

TEST_P(QuantizeTest, BackwardGivesTheSameBitsOnEveryPathSplitAndInPlace) {
  constexpr int64_t kRows = 37, kCols = 1111;
  const auto x = DifficultValues(0.02f, kRows * kCols, 5);
  std::vector<float> grad(x.size());
  std::mt19937 random(6);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  for (float& g : grad) g = normal(random);
  std::vector<float> want(x.size());
  double want_scale = 0;
  ASSERT_TRUE(FakeQuantizeBackward(CpuPath::kPortable, x.data(), grad.data(), kRows, kCols, 0.02f,
                                   want.data(), &want_scale, SerialFor)
                  .ok());
  for (uint32_t seed = 0; seed < 4; ++seed) {
    std::vector<float> in_place = grad;
    double grad_scale = 0;
    ASSERT_TRUE(FakeQuantizeBackward(GetParam(), x.data(), in_place.data(), kRows, kCols, 0.02f,
                                     in_place.data(), &grad_scale, ShufflingFor(seed))
                    .ok());
    EXPECT_EQ(std::memcmp(&grad_scale, &want_scale, sizeof(double)), 0);
    EXPECT_EQ(in_place, want);
  }
}

TEST_P(QuantizeTest, NothingToDo) {
  double grad_scale = 5;
  float scale = 5;
  EXPECT_TRUE(QuantizeStatic(GetParam(), nullptr, 0, 8, 1.0f, nullptr, SerialFor).ok());
  EXPECT_TRUE(QuantizePerToken(GetParam(), nullptr, 0, 8, nullptr, nullptr, SerialFor).ok());
  EXPECT_TRUE(QuantizePerToken(GetParam(), nullptr, 1, 0, nullptr, &scale, SerialFor).ok());
  EXPECT_EQ(scale, 1.0f);
  EXPECT_TRUE(FakeQuantizeBackward(GetParam(), nullptr, nullptr, 0, 8, 1.0f, nullptr, &grad_scale,
                                   SerialFor)
                  .ok());
  EXPECT_EQ(grad_scale, 0.0);
}

TEST_P(QuantizeTest, RefusesBadScales) {
  const std::vector<float> x(6, 1.0f);
  for (float scale : {0.0f, -1.0f, kNan, kInfinity}) {
    std::vector<int8_t> codes(6, 9);
    std::vector<float> grad_x(6, 9.0f);
    double grad_scale = 9;
    const absl::Status forward =
        QuantizeStatic(GetParam(), x.data(), 2, 3, scale, codes.data(), SerialFor);
    const absl::Status backward = FakeQuantizeBackward(GetParam(), x.data(), x.data(), 2, 3, scale,
                                                       grad_x.data(), &grad_scale, SerialFor);
    for (const absl::Status& status : {forward, backward}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(status.message(), HasSubstr("scale[0] is"));
    }
    EXPECT_THAT(codes, Each(9));
    EXPECT_THAT(grad_x, Each(9.0f));
    EXPECT_EQ(grad_scale, 9);
  }
}

TEST_P(QuantizeTest, RefusesBadBuffersAndShapes) {
  const std::vector<float> x(6, 1.0f);
  std::vector<int8_t> codes(6, 9);
  std::vector<float> out(6, 9.0f);
  int8_t* inside_x = reinterpret_cast<int8_t*>(const_cast<float*>(x.data())) + 5;
  const CpuPath path = GetParam();
  struct Case {
    absl::Status status;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {QuantizeStatic(path, nullptr, 2, 3, 1, codes.data(), SerialFor), "x is null"},
           {QuantizeStatic(path, x.data(), 2, 3, 1, nullptr, SerialFor), "codes is null"},
           {QuantizeStatic(path, x.data(), -2, 3, 1, codes.data(), SerialFor), "shape is [-2, 3]"},
           {QuantizeStatic(path, x.data(), int64_t{1} << 40, int64_t{1} << 40, 1, codes.data(),
                           SerialFor),
            "shape is"},
           {QuantizeStatic(path, x.data(), 2, 3, 1, inside_x, SerialFor), "codes overlaps x"},
           {QuantizePerToken(path, x.data(), 2, 3, codes.data(), nullptr, SerialFor),
            "scales is null"},
           {QuantizeWeights(path, x.data(), 2, -3, codes.data(), out.data(), SerialFor),
            "shape is [2, -3]"},
           {FakeQuantizeBackward(path, x.data(), nullptr, 2, 3, 1, out.data(), nullptr, SerialFor),
            "grad is null"},
           {FakeQuantizeBackward(path, x.data(), x.data(), 2, 3, 1, out.data(), nullptr, SerialFor),
            "grad_scale is null"}}) {
    EXPECT_EQ(c.status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(c.status.message(), HasSubstr(c.message));
  }
  EXPECT_THAT(codes, Each(9));
  EXPECT_THAT(out, Each(9.0f));
}

INSTANTIATE_TEST_SUITE_P(Paths, QuantizeTest, testing::ValuesIn(AvailableCpuPaths()),
                         PathParamName);

}  // namespace
}  // namespace sasq::kernels
