#include "kernels/fake_quantize.h"

#include <cmath>
#include <cstdint>
#include <cstring>
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

class FakeQuantizeTest : public PathTest {};

TEST_P(FakeQuantizeTest, ForwardEqualsTheDefinitionInEveryTypeAlsoInPlace) {
  for (DataType type : kAllTypes) {
    for (float scale : {0.0371f, 1.0f, 1e-30f, 1e30f}) {
      for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
               {1, 1}, {3, 7}, {2, 1025}, {3, 4099}, {1, 20001}}) {
        for (int64_t padding : {0, 5}) {
          SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", cols, "] + ", padding));
          const size_t count = static_cast<size_t>(rows * cols);
          const TypedMatrix x(type, rows, cols, DifficultValues(scale, count, 1), padding);
          std::vector<float> want;
          for (float value : x.Floats()) {
            const float x_hat = scale * static_cast<float>(ReferenceCode(value, scale));
            want.push_back(static_cast<float>(RoundedTo(type, static_cast<double>(x_hat))));
          }
          TypedMatrix y(type, rows, cols, 2 * padding);
          const CpuContext context = {GetParam(), SerialFor};
          ASSERT_TRUE(FakeQuantize(context, x.matrix(), scale, y.matrix()).ok());
          EXPECT_TRUE(SameFloats(y.Floats(), want));
          EXPECT_TRUE(y.GuardsHold());
          TypedMatrix in_place = x;
          ASSERT_TRUE(FakeQuantize({GetParam(), ShufflingFor(3)}, in_place.matrix(), scale,
                                   in_place.matrix())
                          .ok());
          EXPECT_TRUE(SameFloats(in_place.Floats(), want));
          EXPECT_TRUE(in_place.GuardsHold());
        }
      }
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

TEST_P(FakeQuantizeTest, BackwardEqualsTheDefinition) {
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
    const absl::Status status = FakeQuantizeBackward(
        {GetParam(), SerialFor}, FloatMatrix(x.data(), 1, cols), FloatMatrix(grad.data(), 1, cols),
        kScale, FloatMatrix(grad_x.data(), 1, cols), &grad_scale);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(grad_x, want.grad_x);
    // Both add the same exact products; each of n sums rounds by at most 2^-53 of the whole.
    EXPECT_NEAR(grad_scale, want.grad_scale,
                static_cast<double>(cols) * std::ldexp(1.0, -53) * want.magnitude);
  }
}

TEST_P(FakeQuantizeTest, BackwardIsTheSlopeOfTheForwardOutsideTheRange) {
  // Outside, x_hat = bound * s exactly, so the slope in s is the bound.
  const std::vector<float> x = {500.0f, -500.0f, 127.0f, -128.0f, 3.0f, kNan};
  const std::vector<float> grad = {1.0f, 10.0f, 100.0f, 1000.0f, 1e4f, 1e5f};
  std::vector<float> grad_x(6);
  double grad_scale = 0;
  ASSERT_TRUE(FakeQuantizeBackward({GetParam(), SerialFor}, FloatMatrix(x.data(), 1, 6),
                                   FloatMatrix(grad.data(), 1, 6), 1.0f,
                                   FloatMatrix(grad_x.data(), 1, 6), &grad_scale)
                  .ok());
  EXPECT_EQ(grad_scale, 127.0 - 1280.0 + 12700.0 - 128000.0);
  EXPECT_THAT(grad_x, ElementsAre(0.0f, 0.0f, 0.0f, 0.0f, 1e4f, 0.0f));
}

TEST_P(FakeQuantizeTest, BackwardGivesTheSameBitsOnEveryPathSplitAndInPlace) {
  constexpr int64_t kRows = 37, kCols = 1111;
  const auto x = DifficultValues(0.02f, kRows * kCols, 5);
  std::vector<float> grad(x.size());
  std::mt19937 random(6);
  std::normal_distribution<float> normal(0.0f, 1.0f);
  for (float& g : grad) g = normal(random);
  std::vector<float> want(x.size());
  double want_scale = 0;
  ASSERT_TRUE(FakeQuantizeBackward({CpuPath::kPortable, SerialFor},
                                   FloatMatrix(x.data(), kRows, kCols),
                                   FloatMatrix(grad.data(), kRows, kCols), 0.02f,
                                   FloatMatrix(want.data(), kRows, kCols), &want_scale)
                  .ok());
  for (uint32_t seed = 0; seed < 4; ++seed) {
    std::vector<float> in_place = grad;
    double grad_scale = 0;
    ASSERT_TRUE(FakeQuantizeBackward({GetParam(), ShufflingFor(seed)},
                                     FloatMatrix(x.data(), kRows, kCols),
                                     FloatMatrix(in_place.data(), kRows, kCols), 0.02f,
                                     FloatMatrix(in_place.data(), kRows, kCols), &grad_scale)
                    .ok());
    EXPECT_EQ(std::memcmp(&grad_scale, &want_scale, sizeof(double)), 0);
    EXPECT_EQ(in_place, want);
  }
}

// Blocks of the sum do not care how rows lie in memory: strided and 16-bit matrices give the bits
// of dense float32 ones with the same values.
TEST_P(FakeQuantizeTest, BackwardOfEveryTypeAndStrideGivesTheSameSum) {
  for (DataType type : kAllTypes) {
    for (const auto& [rows, cols] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {4099, 3}, {37, 1111}, {3, 9000}}) {
      SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", cols, "]"));
      const size_t count = static_cast<size_t>(rows * cols);
      const TypedMatrix x(type, rows, cols, DifficultValues(0.02f, count, 5), 3);
      const TypedMatrix grad(type, rows, cols, NormalValues(count, 1.0f, 6), 1);
      std::vector<float> want(count);
      double want_scale = 0;
      ASSERT_TRUE(FakeQuantizeBackward({CpuPath::kPortable, SerialFor},
                                       FloatMatrix(x.Floats().data(), rows, cols),
                                       FloatMatrix(grad.Floats().data(), rows, cols), 0.02f,
                                       FloatMatrix(want.data(), rows, cols), &want_scale)
                      .ok());
      TypedMatrix grad_x(type, rows, cols, 2);
      double grad_scale = 0;
      ASSERT_TRUE(FakeQuantizeBackward({GetParam(), ShufflingFor(1)}, x.matrix(), grad.matrix(),
                                       0.02f, grad_x.matrix(), &grad_scale)
                      .ok());
      EXPECT_EQ(std::memcmp(&grad_scale, &want_scale, sizeof(double)), 0);
      EXPECT_TRUE(SameFloats(grad_x.Floats(), want));
      EXPECT_TRUE(grad_x.GuardsHold());
    }
  }
}

TEST_P(FakeQuantizeTest, NothingToDo) {
  double grad_scale = 5;
  const CpuContext context = {GetParam(), SerialFor};
  const Matrix none = FloatMatrix(nullptr, 0, 8);
  EXPECT_TRUE(FakeQuantize(context, none, 1.0f, none).ok());
  EXPECT_TRUE(FakeQuantizeBackward(context, none, none, 1.0f, none, &grad_scale).ok());
  EXPECT_EQ(grad_scale, 0.0);
}

TEST_P(FakeQuantizeTest, RefusesBadArgumentsAndWritesNothing) {
  const std::vector<float> x(12, 1.0f);
  std::vector<float> out(12, 9.0f);
  double sum = 9;
  const CpuContext context = {GetParam(), SerialFor};
  const Matrix in = FloatMatrix(x.data(), 2, 3);
  const Matrix good = FloatMatrix(out.data(), 2, 3);
  const Matrix null = FloatMatrix(nullptr, 2, 3);
  Matrix half = good, shifted = good;
  half.type = DataType::kFloat16;
  shifted.data = out.data() + 1;
  const auto odd_sum = reinterpret_cast<double*>(reinterpret_cast<char*>(out.data()) + 4);
  struct Case {
    absl::Status status;
    std::string message;
  };
  std::vector<Case> cases = {
      {FakeQuantize(context, null, 1, good), "x is null"},
      {FakeQuantize(context, in, 1, null), "y is null"},
      {FakeQuantize(context, in, 1, half), "y is of another type than x"},
      {FakeQuantize(context, in, 1, FloatMatrix(out.data(), 3, 2)), "shape of y is [3, 2]"},
      {FakeQuantize(context, good, 1, shifted), "y overlaps x"},
      {FakeQuantizeBackward(context, in, null, 1, good, &sum), "grad is null"},
      {FakeQuantizeBackward(context, in, in, 1, good, nullptr), "grad_scale is null"},
      {FakeQuantizeBackward(context, in, in, 1, good, odd_sum), "grad_scale is at"},
      {FakeQuantizeBackward(context, in, in, 1, FloatMatrix(out.data(), 2, -3), &sum),
       "shape of grad_x is [2, -3]"},
      {FakeQuantizeBackward(context, good, in, 1, good, &sum), "grad_x overlaps x"},
      {FakeQuantizeBackward(context, in, good, 1, shifted, &sum), "grad_x overlaps grad"}};
  for (float scale : {0.0f, -1.0f, kNan, kInfinity}) {
    cases.push_back({FakeQuantize(context, in, scale, good), "scale[0] is"});
    cases.push_back({FakeQuantizeBackward(context, in, in, scale, good, &sum), "scale[0] is"});
  }
  for (const Case& c : cases) {
    EXPECT_EQ(c.status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(c.status.message(), HasSubstr(c.message));
  }
  EXPECT_THAT(out, Each(9.0f));
  EXPECT_EQ(sum, 9);
}

INSTANTIATE_TEST_SUITE_P(Paths, FakeQuantizeTest, testing::ValuesIn(AvailableCpuPaths()),
                         PathParamName);

}  // namespace
}  // namespace sasq::kernels
