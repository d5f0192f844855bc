#include "kernels/gemm.h"

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

using testing::HasSubstr;

struct Problem {
  int64_t rows = 0, out_features = 0, in_features = 0;
  std::vector<int8_t> x, w;
  std::vector<float> x_scales, w_scales, bias;
};

Problem RandomProblem(int64_t rows, int64_t out_features, int64_t in_features, uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> scale(1e-3f, 2.0f);
  Problem problem{rows, out_features, in_features, {}, {}, {}, {}, {}};
  for (int64_t i = 0; i < rows * in_features; ++i) {
    problem.x.push_back(static_cast<int8_t>(random()));
  }
  for (int64_t i = 0; i < out_features * in_features; ++i) {
    problem.w.push_back(static_cast<int8_t>(random()));
  }
  for (int64_t i = 0; i < rows; ++i) problem.x_scales.push_back(scale(random));
  for (int64_t i = 0; i < out_features; ++i) problem.w_scales.push_back(scale(random));
  for (int64_t i = 0; i < out_features; ++i) problem.bias.push_back(scale(random) - 1.0f);
  return problem;
}

// The definition: exact sums, then one conversion, one product of scales, one product, one sum.
std::vector<float> Reference(const Problem& p) {
  std::vector<float> y;
  for (int64_t m = 0; m < p.rows; ++m) {
    for (int64_t n = 0; n < p.out_features; ++n) {
      int64_t sum = 0;
      for (int64_t k = 0; k < p.in_features; ++k) {
        sum += int64_t{p.x[m * p.in_features + k]} * int64_t{p.w[n * p.in_features + k]};
      }
      const volatile float scale = p.x_scales[p.x_scales.size() == 1 ? 0 : m] * p.w_scales[n];
      const volatile float product = static_cast<float>(sum) * scale;
      y.push_back(p.bias.empty() ? product : product + p.bias[n]);
    }
  }
  return y;
}

ActivationScales ScalesOf(const Problem& p) {
  if (p.x_scales.size() == 1) return {.scale = p.x_scales[0]};
  return {.per_row = p.x_scales.data()};
}

// Runs `p` and checks every bit of the result, and that nothing is written behind it.
void ExpectExact(CpuPath path, const Problem& p, ParallelFor parallel_for) {
  SCOPED_TRACE(absl::StrCat("rows ", p.rows, ", out ", p.out_features, ", in ", p.in_features));
  const auto weights =
      PackedWeights::Pack(path, p.w.data(), p.out_features, p.in_features, p.w_scales);
  ASSERT_TRUE(weights.ok()) << weights.status();
  constexpr float kGuard = 12345.0f;
  const std::vector<float> want = Reference(p);
  std::vector<float> y(want.size() + 64, kGuard);
  const absl::Status status =
      Gemm({path, parallel_for}, p.x.data(), ScalesOf(p), weights->view(),
           p.bias.empty() ? nullptr : p.bias.data(), DenseMatrix(y.data(), p.rows, p.out_features));
  ASSERT_TRUE(status.ok()) << status;
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(std::memcmp(&y[i], &want[i], sizeof(float)), 0)
        << "row " << i / p.out_features << ", column " << i % p.out_features << ": got " << y[i]
        << ", want " << want[i];
  }
  for (size_t i = want.size(); i < y.size(); ++i) ASSERT_EQ(y[i], kGuard) << "wrote behind the end";
}

class GemmTest : public PathTest {};

TEST_P(GemmTest, EqualsReferenceOnAllShapes) {
  uint32_t seed = 0;
  for (int64_t rows : {1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 24, 37}) {
    for (int64_t out_features : {1, 2, 15, 16, 17, 31, 32, 33, 65}) {
      for (int64_t in_features : {1, 2, 3, 4, 5, 7, 8, 31, 63, 64, 65, 130}) {
        Problem p = RandomProblem(rows, out_features, in_features, ++seed);
        if (seed % 2 == 0) p.bias.clear();
        if (seed % 3 == 0) p.x_scales.resize(1);
        ExpectExact(GetParam(), p, SerialFor);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(GemmTest, EveryTypeOfResultIsRoundedOnceAndStrided) {
  for (DataType type : kAllTypes) {
    for (const auto& [rows, out_features] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 33}, {5, 31}, {13, 64}, {14, 70}}) {
      SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", out_features, "]"));
      const Problem p = RandomProblem(rows, out_features, 50, 3);
      const auto weights =
          PackedWeights::Pack(GetParam(), p.w.data(), out_features, p.in_features, p.w_scales);
      ASSERT_TRUE(weights.ok()) << weights.status();
      std::vector<float> want;
      for (float value : Reference(p)) {
        want.push_back(static_cast<float>(RoundedTo(type, static_cast<double>(value))));
      }
      TypedMatrix y(type, rows, out_features, 3);
      ASSERT_TRUE(Gemm({GetParam(), ShufflingFor(1)}, p.x.data(), ScalesOf(p), weights->view(),
                       p.bias.data(), y.matrix())
                      .ok());
      EXPECT_TRUE(SameFloats(y.Floats(), want));
      EXPECT_TRUE(y.GuardsHold());
    }
  }
}

TEST_P(GemmTest, EqualsReferenceOverManyBlocks) {
  ExpectExact(GetParam(), RandomProblem(131, 100, 1537, 1), SerialFor);
  ExpectExact(GetParam(), RandomProblem(5, 40, 5001, 2), SerialFor);
  ExpectExact(GetParam(), RandomProblem(200, 33, 64, 3), SerialFor);
  ExpectExact(GetParam(), RandomProblem(1, 577, 1536, 4), SerialFor);
}

TEST_P(GemmTest, EveryProductOfTwoCodesIsExact) {
  Problem p = RandomProblem(256, 256, 1, 1);
  for (int i = 0; i < 256; ++i) p.x[i] = p.w[i] = static_cast<int8_t>(i - 128);
  ExpectExact(GetParam(), p, SerialFor);
}

TEST_P(GemmTest, ExtremesAreExactUpToTheLargestK) {
  for (int64_t in_features : {int64_t{1023}, int64_t{4096}, kMaxInFeatures}) {
    for (int x : {-128, 127}) {
      for (int w : {-128, 127}) {
        Problem p = RandomProblem(2, 3, in_features, 1);
        std::fill(p.x.begin(), p.x.end(), static_cast<int8_t>(x));
        std::fill(p.w.begin(), p.w.end(), static_cast<int8_t>(w));
        // One code apart, so that the last bits of a sum matter too.
        p.x.back() = 1;
        ExpectExact(GetParam(), p, SerialFor);
      }
    }
  }
}

TEST_P(GemmTest, SameBitsHoweverTheWorkIsSplit) {
  const Problem p = RandomProblem(150, 130, 600, 7);
  for (uint32_t seed = 0; seed < 5; ++seed) ExpectExact(GetParam(), p, ShufflingFor(seed));
}

TEST_P(GemmTest, NoRowsIsNoWork) {
  const Problem p = RandomProblem(1, 4, 4, 1);
  const auto weights = PackedWeights::Pack(GetParam(), p.w.data(), 4, 4, p.w_scales);
  ASSERT_TRUE(weights.ok());
  EXPECT_TRUE(Gemm({GetParam(), SerialFor}, nullptr, {.scale = 1.0f}, weights->view(), nullptr,
                   DenseMatrix(static_cast<float*>(nullptr), 0, 4))
                  .ok());
}

TEST_P(GemmTest, PackRefusesBadArguments) {
  const std::vector<int8_t> w(12);
  struct Case {
    const int8_t* w;
    int64_t out_features, in_features;
    std::vector<float> scales;
    std::string message;
  };
  for (const Case& c :
       std::vector<Case>{{nullptr, 3, 4, {1, 1, 1}, "w is null"},
                         {w.data(), 0, 4, {}, "out_features is 0"},
                         {w.data(), -3, 4, {}, "out_features is -3"},
                         {w.data(), 3, 0, {1, 1, 1}, "in_features is 0"},
                         {w.data(), 3, kMaxInFeatures + 1, {1, 1, 1}, "in_features is 131072"},
                         {w.data(), 3, 4, {1, 1}, "number of scales is 2"},
                         {w.data(), 3, 4, {1, 0, 1}, "scales[1] is 0"},
                         {w.data(), 3, 4, {1, 1, -1}, "scales[2] is -1"},
                         {w.data(), 3, 4, {kInfinity, 1, 1}, "scales[0] is inf"},
                         {w.data(), 3, 4, {kNan, 1, 1}, "scales[0] is nan"}}) {
    const auto packed =
        PackedWeights::Pack(GetParam(), c.w, c.out_features, c.in_features, c.scales);
    EXPECT_EQ(packed.status().code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(packed.status().message(), HasSubstr(c.message));
  }
}

TEST_P(GemmTest, RefusesBadArgumentsAndWritesNothing) {
  const Problem p = RandomProblem(2, 3, 4, 1);
  const auto weights = PackedWeights::Pack(GetParam(), p.w.data(), 3, 4, p.w_scales);
  ASSERT_TRUE(weights.ok());
  std::vector<float> y(6, 9.0f);
  const int8_t* inside_y = reinterpret_cast<const int8_t*>(y.data()) + 3;
  const float* odd = reinterpret_cast<const float*>(reinterpret_cast<const char*>(y.data()) + 2);
  const std::vector<float> bad_scales = {1, 0};
  const std::vector<float> zeros(3), ones(3, 1.0f);
  const Matrix good = DenseMatrix(y.data(), 2, 3);
  PackedWeightsView null_codes = weights->view();
  null_codes.packed = nullptr;
  PackedWeightsView misaligned = weights->view();
  misaligned.packed += 4;
  PackedWeightsView bad_weight_scales = weights->view();
  bad_weight_scales.scales = zeros.data();
  PackedWeightsView too_deep = weights->view();
  too_deep.in_features = kMaxInFeatures + 1;
  PackedWeightsView negative = weights->view();
  negative.out_features = -3;
  const PackedWeightsView w = weights->view();
  Matrix narrow = good, tight = good, strange = good;
  narrow.cols = 2;
  tight.row_stride = 2;
  strange.type = static_cast<DataType>(9);
  struct Case {
    const int8_t* codes;
    ActivationScales x_scales;
    PackedWeightsView weights;
    const float* bias;
    Matrix y;
    std::string message;
  };
  const float* const none = nullptr;
  for (const Case& c : std::vector<Case>{
           {nullptr, {1}, w, none, good, "codes is null"},
           {p.x.data(), {1}, w, none, DenseMatrix(static_cast<float*>(nullptr), 2, 3), "y is null"},
           {p.x.data(), {1}, w, none, DenseMatrix(y.data(), -1, 3), "shape of y is [-1, 3]"},
           {p.x.data(), {1}, w, none, DenseMatrix(y.data(), int64_t{1} << 62, 3), "shape of y is"},
           {p.x.data(), {0}, w, none, good, "x_scales[0] is 0"},
           {p.x.data(), {-1}, w, none, good, "x_scales[0] is -1"},
           {p.x.data(), {kNan}, w, none, good, "x_scales[0] is nan"},
           {p.x.data(), {kInfinity}, w, none, good, "x_scales[0] is inf"},
           {p.x.data(), {1, bad_scales.data()}, w, none, good, "x_scales[1] is 0"},
           {p.x.data(), {1, odd}, w, none, good, "want an address aligned to 4"},
           {p.x.data(), {1}, w, odd, good, "bias is at"},
           {p.x.data(), {1}, w, y.data(), good, "y overlaps bias"},
           {inside_y, {1}, w, none, good, "y overlaps codes"},
           {p.x.data(), {1}, w, none, narrow, "columns of y is 2"},
           {p.x.data(), {1}, w, none, tight, "row_stride of y is 2"},
           {p.x.data(), {1}, w, none, strange, "type of y is 9"},
           {p.x.data(), {1}, null_codes, none, good, "packed weights is null"},
           {p.x.data(), {1}, misaligned, none, good, "aligned to 64"},
           {p.x.data(), {1}, bad_weight_scales, none, good, "weights' scales[0] is 0"},
           {p.x.data(), {1}, too_deep, none, good, "in_features is 131072"},
           {p.x.data(), {1}, negative, none, good, "out_features is -3"}}) {
    const absl::Status status =
        Gemm({GetParam(), SerialFor}, c.codes, c.x_scales, c.weights, c.bias, c.y);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(status.message(), HasSubstr(c.message));
  }
  EXPECT_THAT(y, testing::Each(9.0f));
}

TEST_P(GemmTest, RefusesWeightsOfAnotherPath) {
  if (GetParam() == CpuPath::kPortable) return;
  const Problem p = RandomProblem(2, 3, 4, 1);
  const auto weights = PackedWeights::Pack(CpuPath::kPortable, p.w.data(), 3, 4, p.w_scales);
  ASSERT_TRUE(weights.ok());
  std::vector<float> y(6);
  const absl::Status status = Gemm({GetParam(), SerialFor}, p.x.data(), {.scale = 1},
                                   weights->view(), nullptr, DenseMatrix(y.data(), 2, 3));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("packed for portable"));
}

INSTANTIATE_TEST_SUITE_P(Paths, GemmTest, testing::ValuesIn(AvailableCpuPaths()), PathParamName);

}  // namespace
}  // namespace sasq::kernels
