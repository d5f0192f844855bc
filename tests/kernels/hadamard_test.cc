#include "kernels/hadamard.h"

#include <bit>
#include <cmath>
#include <cstdint>
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
using testing::HasSubstr;

// The stages in the order that the header fixes.
std::vector<float> ReferenceTransform(std::vector<float> x, size_t block, DataType type) {
  for (size_t distance = 1; distance < block; distance *= 2) {
    for (size_t i = 0; i < x.size(); ++i) {
      if (i % (2 * distance) >= distance) continue;
      const float a = x[i], b = x[i + distance];
      x[i] = a + b;
      x[i + distance] = a - b;
    }
  }
  const volatile float root = std::sqrt(static_cast<float>(block));
  const volatile float factor = 1.0f / root;
  for (float& value : x) {
    value = static_cast<float>(RoundedTo(type, static_cast<double>(value * factor)));
  }
  return x;
}

class HadamardTest : public PathTest {};

TEST_P(HadamardTest, EqualsTheDefinitionForEveryTypeBlockAndStrideAlsoInPlace) {
  for (DataType type : kAllTypes) {
    for (int64_t block = 2; block <= kMaxHadamardBlock; block *= 2) {
      for (int64_t blocks_of_a_row : {1, 3}) {
        for (int64_t padding : {0, 5}) {
          const int64_t rows = 3, cols = block * blocks_of_a_row;
          SCOPED_TRACE(
              absl::StrCat(TypeName(type), " block ", block, " of ", cols, " + ", padding));
          const size_t count = static_cast<size_t>(rows * cols);
          const TypedMatrix x(type, rows, cols, NormalValues(count, 1.0f, 1), padding);
          const std::vector<float> want =
              ReferenceTransform(x.Floats(), static_cast<size_t>(block), type);
          TypedMatrix y(type, rows, cols, 2 * padding);
          ASSERT_TRUE(
              HadamardTransform({GetParam(), ShufflingFor(1)}, x.matrix(), block, y.matrix()).ok());
          EXPECT_TRUE(SameFloats(y.Floats(), want));
          EXPECT_TRUE(y.GuardsHold());
          TypedMatrix in_place = x;
          ASSERT_TRUE(HadamardTransform({GetParam(), ShufflingFor(2)}, in_place.matrix(), block,
                                        in_place.matrix())
                          .ok());
          EXPECT_TRUE(SameFloats(in_place.Floats(), want));
          EXPECT_TRUE(in_place.GuardsHold());
        }
      }
    }
  }
}

// Sylvester's matrix itself: H[i][j] is the parity of i & j. Integers keep the sums exact, and the
// factor of 64 values is 1 / 8.
TEST_P(HadamardTest, IsTheProductWithSylvestersMatrix) {
  constexpr uint32_t kBlock = 64;
  std::vector<float> x, y(kBlock);
  for (uint32_t i = 0; i < kBlock; ++i) x.push_back(static_cast<float>((i * 37) % 101) - 50.0f);
  ASSERT_TRUE(HadamardTransform({GetParam(), SerialFor}, FloatMatrix(x.data(), 1, kBlock), kBlock,
                                FloatMatrix(y.data(), 1, kBlock))
                  .ok());
  for (uint32_t j = 0; j < kBlock; ++j) {
    float sum = 0;
    for (uint32_t i = 0; i < kBlock; ++i) sum += std::popcount(i & j) % 2 == 0 ? x[i] : -x[i];
    ASSERT_EQ(y[j], sum / 8.0f) << j;
  }
}

TEST_P(HadamardTest, NothingToDo) {
  const CpuContext context = {GetParam(), SerialFor};
  const Matrix no_rows = FloatMatrix(nullptr, 0, 8);
  const Matrix no_cols = FloatMatrix(nullptr, 8, 0);
  EXPECT_TRUE(HadamardTransform(context, no_rows, 8, no_rows).ok());
  EXPECT_TRUE(HadamardTransform(context, no_cols, 8, no_cols).ok());
}

TEST_P(HadamardTest, RefusesBadArgumentsAndWritesNothing) {
  const std::vector<float> values(32, 1.0f);
  std::vector<float> out(32, 9.0f);
  const Matrix x = FloatMatrix(values.data(), 2, 12);
  const Matrix y = FloatMatrix(out.data(), 2, 12);
  Matrix half = y, spread = x, shifted = y;
  half.type = DataType::kFloat16;
  spread.data = out.data();
  spread.row_stride = 14;
  shifted.data = out.data() + 1;
  const auto odd = reinterpret_cast<const float*>(reinterpret_cast<const char*>(values.data()) + 2);
  struct Case {
    ConstMatrix x;
    int64_t block;
    Matrix y;
    std::string message;
  };
  for (const Case& c :
       std::vector<Case>{{x, 0, y, "block is 0"},
                         {x, 1, y, "block is 1"},
                         {x, -4, y, "block is -4"},
                         {x, 6, y, "block is 6"},
                         {x, 2 * kMaxHadamardBlock, y, "block is 16384"},
                         {x, 8, y, "cols is 12"},
                         {FloatMatrix(nullptr, 2, 12), 4, y, "x is null"},
                         {x, 4, FloatMatrix(nullptr, 2, 12), "y is null"},
                         {FloatMatrix(odd, 2, 12), 4, y, "x is at"},
                         {x, 4, half, "y is of another type"},
                         {x, 4, FloatMatrix(out.data(), 1, 12), "shape of y is [1, 12]"},
                         {FloatMatrix(values.data(), -1, 12), 4, y, "shape of x is [-1, 12]"},
                         {spread, 4, y, "y overlaps x"},
                         {y, 4, shifted, "y overlaps x"}}) {
    const absl::Status status = HadamardTransform({GetParam(), SerialFor}, c.x, c.block, c.y);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(status.message(), HasSubstr(c.message));
  }
  EXPECT_THAT(out, Each(9.0f));
}

INSTANTIATE_TEST_SUITE_P(Paths, HadamardTest, testing::ValuesIn(AvailableCpuPaths()),
                         PathParamName);

}  // namespace
}  // namespace sasq::kernels
