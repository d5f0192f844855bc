#include "kernels/silu_mul.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/numerics.h"
#include "tests/kernels/testing_parallel.h"
#include "tests/kernels/testing_values.h"

namespace sasq::kernels {
namespace {

using testing::Each;
using testing::HasSubstr;

// The definition, with the one e^x that all devices share.
float ReferenceProduct(float gate, float up) {
  const volatile float denominator = 1.0f + Exp(-gate);
  const volatile float silu = gate / denominator;
  return silu * up;
}

TEST(ExpTest, IsWithinTwoUnitsOfTheLastPlace) {
  for (float x = -87.0f; x <= 88.0f; x = std::nextafter(x + 1e-3f, kMax)) {
    const double want = std::exp(static_cast<double>(x));
    const double unit = std::ldexp(1.0, std::ilogb(want) - 23);
    ASSERT_LE(std::fabs(static_cast<double>(Exp(x)) - want), 2 * unit) << x;
  }
  EXPECT_EQ(Exp(0.0f), 1.0f);
  EXPECT_EQ(Exp(1000.0f), Exp(88.0f));
  EXPECT_EQ(Exp(-kInfinity), Exp(-87.0f));
  EXPECT_TRUE(std::isnan(Exp(kNan)));
}

class SiluMulTest : public PathTest {};

TEST_P(SiluMulTest, EqualsTheDefinitionForEveryTypeShapeAndStride) {
  constexpr float kScale = 0.0713f;
  for (DataType type : kAllTypes) {
    for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
             {1, 1}, {5, 2}, {3, 15}, {2, 17}, {3, 1023}, {3, 1025}, {2, 9001}}) {
      for (int64_t padding : {0, 7}) {
        SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", cols, "] + ", padding));
        const size_t count = static_cast<size_t>(rows * cols);
        const TypedMatrix gate(type, rows, cols, NormalValues(count, 4.0f, 1), padding);
        const TypedMatrix up(type, rows, cols, NormalValues(count, 2.0f, 2), 2 * padding);
        std::vector<int8_t> want_static, want_token;
        std::vector<float> want_scales;
        for (int64_t r = 0; r < rows; ++r) {
          std::vector<float> row;
          for (int64_t c = 0; c < cols; ++c) {
            row.push_back(ReferenceProduct(gate.Get(r, c), up.Get(r, c)));
          }
          want_scales.push_back(ReferenceRowScale(row));
          for (float value : row) {
            want_static.push_back(ReferenceCode(value, kScale));
            want_token.push_back(ReferenceCode(value, want_scales.back()));
          }
        }
        std::vector<int8_t> codes(count);
        ASSERT_TRUE(SiluMulQuantizeStatic({GetParam(), ShufflingFor(1)}, gate.matrix(), up.matrix(),
                                          kScale, codes.data())
                        .ok());
        EXPECT_EQ(codes, want_static);
        std::vector<float> scales(static_cast<size_t>(rows));
        ASSERT_TRUE(SiluMulQuantizePerToken({GetParam(), ShufflingFor(2)}, gate.matrix(),
                                            up.matrix(), codes.data(), scales.data())
                        .ok());
        EXPECT_EQ(codes, want_token);
        EXPECT_TRUE(SameFloats(scales, want_scales));
      }
    }
  }
}

// Gates of every size, where e^-g is cut, overflows the sum or vanishes beside 1.
TEST_P(SiluMulTest, EqualsTheDefinitionForEveryFiniteGate) {
  std::vector<float> gate, up;
  for (uint32_t high = 0; high < 0x10000; high += 3) {
    gate.push_back(FloatOfBits(high << 16 | 0x1234u));
    up.push_back(high % 2 == 0 ? 0.5f : 300.0f);
  }
  const auto count = static_cast<int64_t>(gate.size());
  std::vector<int8_t> codes(gate.size());
  ASSERT_TRUE(SiluMulQuantizeStatic({GetParam(), SerialFor}, FloatMatrix(gate.data(), 1, count),
                                    FloatMatrix(up.data(), 1, count), 0.01f, codes.data())
                  .ok());
  for (size_t i = 0; i < gate.size(); ++i) {
    ASSERT_EQ(int{codes[i]}, int{ReferenceCode(ReferenceProduct(gate[i], up[i]), 0.01f)})
        << gate[i];
  }
}

TEST_P(SiluMulTest, PerTokenNamesTheFirstRowThatIsNotFinite) {
  std::vector<float> gate(5 * 20, 1.0f), up(5 * 20, 1.0f);
  up[2 * 20 + 19] = kInfinity;
  gate[4 * 20] = kNan;
  std::vector<int8_t> codes(gate.size());
  std::vector<float> scales(5);
  const absl::Status status =
      SiluMulQuantizePerToken({GetParam(), ShufflingFor(1)}, FloatMatrix(gate.data(), 5, 20),
                              FloatMatrix(up.data(), 5, 20), codes.data(), scales.data());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("row 2 of 5"));
}

TEST_P(SiluMulTest, NoRowsIsNoWork) {
  const Matrix none = FloatMatrix(nullptr, 0, 4);
  const CpuContext context = {GetParam(), SerialFor};
  EXPECT_TRUE(SiluMulQuantizeStatic(context, none, none, 1.0f, nullptr).ok());
  EXPECT_TRUE(SiluMulQuantizePerToken(context, none, none, nullptr, nullptr).ok());
}

TEST_P(SiluMulTest, RefusesBadArgumentsAndWritesNothing) {
  const std::vector<float> values(12, 1.0f);
  std::vector<int8_t> codes(6, 9);
  std::vector<float> scales(2, 9.0f);
  const Matrix good = FloatMatrix(values.data(), 2, 3);
  const auto odd = reinterpret_cast<const float*>(reinterpret_cast<const char*>(values.data()) + 1);
  Matrix half = good, tight = good;
  half.type = DataType::kFloat16;
  tight.row_stride = 1;
  const CpuContext context = {GetParam(), SerialFor};
  struct Case {
    ConstMatrix gate, up;
    std::string message;
  };
  for (const Case& c : std::vector<Case>{
           {FloatMatrix(nullptr, 2, 3), good, "gate is null"},
           {good, FloatMatrix(nullptr, 2, 3), "up is null"},
           {FloatMatrix(odd, 2, 3), good, "gate is at"},
           {good, FloatMatrix(values.data(), 3, 3), "shape of up is [3, 3]"},
           {good, half, "up is of another type"},
           {good, tight, "row_stride of up is 1"},
           {FloatMatrix(values.data(), 2, 0), FloatMatrix(values.data(), 2, 0), "cols is 0"},
           {FloatMatrix(values.data(), -2, 3), good, "shape of gate is [-2, 3]"}}) {
    for (const absl::Status& status :
         {SiluMulQuantizeStatic(context, c.gate, c.up, 1, codes.data()),
          SiluMulQuantizePerToken(context, c.gate, c.up, codes.data(), scales.data())}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
      EXPECT_THAT(status.message(), HasSubstr(c.message));
    }
  }
  for (float scale : {0.0f, -1.0f, kNan, kInfinity}) {
    EXPECT_THAT(SiluMulQuantizeStatic(context, good, good, scale, codes.data()).message(),
                HasSubstr("scale[0] is"));
  }
  auto* inside = reinterpret_cast<int8_t*>(const_cast<float*>(values.data()));
  EXPECT_THAT(SiluMulQuantizeStatic(context, good, good, 1, nullptr).message(),
              HasSubstr("codes is null"));
  EXPECT_THAT(SiluMulQuantizeStatic(context, good, good, 1, inside).message(),
              HasSubstr("codes overlaps gate"));
  EXPECT_THAT(SiluMulQuantizePerToken(context, good, good, codes.data(), nullptr).message(),
              HasSubstr("scales is null"));
  EXPECT_THAT(codes, Each(9));
  EXPECT_THAT(scales, Each(9.0f));
}

INSTANTIATE_TEST_SUITE_P(Paths, SiluMulTest, testing::ValuesIn(AvailableCpuPaths()), PathParamName);

}  // namespace
}  // namespace sasq::kernels
