#include "kernels/quantize.h"

#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernels/testing_parallel.h"
#include "tests/kernels/testing_values.h"

namespace sasq::kernels {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class QuantizeTest : public PathTest {};

TEST_P(QuantizeTest, StaticEqualsTheDefinition) {
  for (float scale : {1.0f, 0.0371f, 3.3e-5f, 1e30f, 1e-38f, kDenormal}) {
    for (int64_t cols : {1, 3, 16, 63, 1201, 40000}) {
      const auto x = DifficultValues(scale, static_cast<size_t>(cols), 1);
      std::vector<int8_t> codes(x.size());
      const absl::Status status = QuantizeStatic(
          {GetParam(), SerialFor}, FloatMatrix(x.data(), 1, cols), scale, codes.data());
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
  ASSERT_TRUE(
      QuantizeStatic({GetParam(), SerialFor}, FloatMatrix(x.data(), 1, 13), 1.0f, codes.data())
          .ok());
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
    std::vector<int8_t> codes(x.size());
    std::vector<float> scales(kRows);
    const absl::Status status =
        QuantizePerToken({GetParam(), ShufflingFor(1)}, FloatMatrix(x.data(), kRows, cols),
                         codes.data(), scales.data());
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

TEST_P(QuantizeTest, RowsOfZerosAndOfTinyValuesGetScaleOne) {
  const std::vector<float> x = {0.0f,    -0.0f, kDenormal, -kDenormal, 1e-36f,
                                -1e-36f, kMax,  -kMax,     2e-36f,     -2e-36f};
  std::vector<int8_t> codes(x.size(), 5);
  std::vector<float> scales(5);
  ASSERT_TRUE(QuantizePerToken({GetParam(), SerialFor}, FloatMatrix(x.data(), 5, 2), codes.data(),
                               scales.data())
                  .ok());
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
      const absl::Status status =
          QuantizePerToken({GetParam(), ShufflingFor(seed)}, FloatMatrix(x.data(), 50, 33),
                           codes.data(), scales.data());
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(status.message(), HasSubstr("row 7 of 50"));
    }
  }
}

// Each type, with rows that are not dense, however the work is split.
TEST_P(QuantizeTest, EveryTypeAndStrideEqualsTheDefinition) {
  for (DataType type : kAllTypes) {
    for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {3, 1}, {2, 17}, {5, 1023}, {2, 1025}, {3, 4099}, {1, 40001}}) {
      for (int64_t padding : {0, 3}) {
        SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", cols, "] + ", padding));
        constexpr float kScale = 0.0371f;
        const size_t count = static_cast<size_t>(rows * cols);
        const TypedMatrix x(type, rows, cols, DifficultValues(kScale, count, 1), padding);
        std::vector<int8_t> codes(count);
        ASSERT_TRUE(
            QuantizeStatic({GetParam(), ShufflingFor(1)}, x.matrix(), kScale, codes.data()).ok());
        const std::vector<float> x_values = x.Floats();
        for (size_t i = 0; i < count; ++i) {
          ASSERT_EQ(int{codes[i]}, int{ReferenceCode(x_values[i], kScale)}) << i;
        }
        const TypedMatrix y(type, rows, cols, NormalValues(count, 3.0f, 2), padding);
        std::vector<float> scales(static_cast<size_t>(rows));
        ASSERT_TRUE(
            QuantizePerToken({GetParam(), ShufflingFor(2)}, y.matrix(), codes.data(), scales.data())
                .ok());
        const std::vector<float> values = y.Floats();
        for (size_t i = 0; i < count; ++i) {
          const size_t row = i / static_cast<size_t>(cols);
          const auto first = values.begin() + static_cast<std::ptrdiff_t>(row) * cols;
          if (i % static_cast<size_t>(cols) == 0) {
            ASSERT_EQ(scales[row], ReferenceRowScale({first, first + cols}));
          }
          ASSERT_EQ(int{codes[i]}, int{ReferenceCode(values[i], scales[row])}) << i;
        }
      }
    }
  }
}

// The codes of every quotient next to a half-integer, where a product with the reciprocal alone
// would round to the other side, for scales of every kind of mantissa and of every size.
TEST_P(QuantizeTest, CodesAreThoseOfTheDivisionForEveryScale) {
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    const uint32_t mantissa = round % 4 == 0   ? random() % 64
                              : round % 4 == 1 ? 0x7FFFFFu - random() % 64
                                               : random() & 0x7FFFFFu;
    const uint32_t exponent = round % 3 == 0 ? 1 + random() % 246 : 110 + random() % 20;
    const uint32_t bits = exponent << 23 | mantissa;
    float scale;
    std::memcpy(&scale, &bits, sizeof(scale));
    std::vector<float> x;
    for (int code = -129; code <= 128; ++code) {
      float value = (static_cast<float>(code) + 0.5f) * scale;
      for (int step = 0; step < 3; ++step) value = std::nextafter(value, -kInfinity);
      for (int step = 0; step < 7; ++step, value = std::nextafter(value, kInfinity)) {
        x.push_back(value);
      }
    }
    std::vector<int8_t> codes(x.size());
    const auto count = static_cast<int64_t>(x.size());
    ASSERT_TRUE(QuantizeStatic({GetParam(), SerialFor}, FloatMatrix(x.data(), 1, count), scale,
                               codes.data())
                    .ok());
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(int{codes[i]}, int{ReferenceCode(x[i], scale)}) << x[i] << " / " << scale;
    }
  }
}

TEST_P(QuantizeTest, NothingToDo) {
  float scale = 5;
  const CpuContext context = {GetParam(), SerialFor};
  EXPECT_TRUE(QuantizeStatic(context, FloatMatrix(nullptr, 0, 8), 1.0f, nullptr).ok());
  EXPECT_TRUE(QuantizePerToken(context, FloatMatrix(nullptr, 0, 8), nullptr, nullptr).ok());
  EXPECT_TRUE(QuantizePerToken(context, FloatMatrix(nullptr, 1, 0), nullptr, &scale).ok());
  EXPECT_EQ(scale, 1.0f);
}

TEST_P(QuantizeTest, RefusesBadScales) {
  const std::vector<float> x(6, 1.0f);
  for (float scale : {0.0f, -0.0f, -1.0f, kNan, kInfinity, -kInfinity}) {
    std::vector<int8_t> codes(6, 9);
    const absl::Status status =
        QuantizeStatic({GetParam(), SerialFor}, FloatMatrix(x.data(), 2, 3), scale, codes.data());
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("scale[0] is"));
    EXPECT_THAT(codes, Each(9));
  }
}

TEST_P(QuantizeTest, RefusesBadBuffersAndShapes) {
  const std::vector<float> x(12, 1.0f);
  std::vector<int8_t> codes(6, 9);
  std::vector<float> out(6, 9.0f);
  int8_t* inside_x = reinterpret_cast<int8_t*>(const_cast<float*>(x.data())) + 5;
  const auto misaligned = reinterpret_cast<const float*>(inside_x);
  const CpuContext context = {GetParam(), SerialFor};
  const Matrix good = FloatMatrix(x.data(), 2, 3);
  Matrix tight = good, strange = good;
  tight.row_stride = 2;
  strange.type = static_cast<DataType>(3);
  constexpr int64_t kHuge = int64_t{1} << 40;
  struct Case {
    absl::Status status;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {QuantizeStatic(context, FloatMatrix(nullptr, 2, 3), 1, codes.data()), "x is null"},
           {QuantizeStatic(context, good, 1, nullptr), "codes is null"},
           {QuantizeStatic(context, FloatMatrix(x.data(), -2, 3), 1, codes.data()),
            "shape of x is [-2, 3]"},
           {QuantizeStatic(context, FloatMatrix(x.data(), 2, -3), 1, codes.data()),
            "shape of x is [2, -3]"},
           {QuantizeStatic(context, FloatMatrix(x.data(), kHuge, kHuge), 1, codes.data()),
            "shape of x is"},
           {QuantizeStatic(context, tight, 1, codes.data()), "row_stride of x is 2"},
           {QuantizeStatic(context, strange, 1, codes.data()), "type of x is 3"},
           {QuantizeStatic(context, FloatMatrix(misaligned, 2, 2), 1, codes.data()),
            "want an address aligned to 4 bytes"},
           {QuantizeStatic(context, good, 1, inside_x), "codes overlaps x"},
           {QuantizePerToken(context, good, codes.data(), nullptr), "scales is null"},
           {QuantizePerToken(context, good, codes.data(), const_cast<float*>(x.data())),
            "scales overlaps x"},
           {QuantizePerToken(context, FloatMatrix(x.data(), 2, -3), codes.data(), out.data()),
            "shape of x is [2, -3]"}}) {
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
