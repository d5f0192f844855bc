#include "kernels/rms_norm.h"

#include <cmath>
#include <cstdint>
#include <limits>
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

constexpr float kEpsilon = 1e-5f;

// The definition of a row, operator by operator, in the order that the header fixes.
std::vector<float> ReferenceNormed(const std::vector<float>& h, const std::vector<float>& gain,
                                   float epsilon) {
  std::vector<float> lanes(1024);
  for (size_t c = 0; c < h.size(); ++c) {
    const volatile float square = h[c] * h[c];
    lanes[c % 1024] += square;
  }
  for (size_t width = 512; width > 0; width /= 2) {
    for (size_t lane = 0; lane < width; ++lane) lanes[lane] += lanes[lane + width];
  }
  const volatile float mean = lanes[0] / static_cast<float>(h.size());
  const volatile float root = std::sqrt(mean + epsilon);
  const volatile float factor = 1.0f / root;
  std::vector<float> normed;
  for (size_t c = 0; c < h.size(); ++c) {
    const volatile float scaled = h[c] * factor;
    normed.push_back(scaled * gain[c]);
  }
  return normed;
}

struct Reference {
  std::vector<float> h;  // every row
  std::vector<int8_t> static_codes, token_codes;
  std::vector<float> scales;
};

Reference ReferenceOf(const TypedMatrix& x, const TypedMatrix* residual, const TypedMatrix& gain,
                      float scale) {
  Reference reference;
  for (int64_t r = 0; r < x.rows(); ++r) {
    std::vector<float> h;
    for (int64_t c = 0; c < x.cols(); ++c) {
      float value = x.Get(r, c);
      if (residual != nullptr) {
        const float sum = residual->Get(r, c) + value;
        value = static_cast<float>(RoundedTo(x.type(), static_cast<double>(sum)));
      }
      h.push_back(value);
    }
    const std::vector<float> normed = ReferenceNormed(h, gain.Floats(), kEpsilon);
    reference.scales.push_back(ReferenceRowScale(normed));
    for (float value : normed) {
      reference.static_codes.push_back(ReferenceCode(value, scale));
      reference.token_codes.push_back(ReferenceCode(value, reference.scales.back()));
    }
    reference.h.insert(reference.h.end(), h.begin(), h.end());
  }
  return reference;
}

class RmsNormTest : public PathTest {};

TEST_P(RmsNormTest, EqualsTheDefinitionForEveryTypeShapeAndStride) {
  constexpr float kScale = 0.0313f;
  for (DataType type : kAllTypes) {
    for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{{1, 1},
                                                                             {5, 2},
                                                                             {3, 15},
                                                                             {2, 17},
                                                                             {3, 1023},
                                                                             {2, 1024},
                                                                             {3, 1025},
                                                                             {4, 2500},
                                                                             {2, 4096}}) {
      for (bool add : {false, true}) {
        for (int64_t padding : {0, 3}) {
          SCOPED_TRACE(absl::StrCat(TypeName(type), " [", rows, ", ", cols, "] + ", padding,
                                    add ? " with a residual" : ""));
          const size_t count = static_cast<size_t>(rows * cols);
          const TypedMatrix x(type, rows, cols, NormalValues(count, 2.0f, 1), padding);
          const TypedMatrix gain(type, 1, cols, NormalValues(static_cast<size_t>(cols), 1.0f, 2));
          const TypedMatrix addend(type, rows, cols, NormalValues(count, 3.0f, 3), 2 * padding);
          const Reference want = ReferenceOf(x, add ? &addend : nullptr, gain, kScale);

          TypedMatrix residual = addend;
          RmsNormInput input = {x.matrix(), gain.matrix().data, kEpsilon, {}};
          if (add) input.residual = residual.matrix();
          std::vector<int8_t> codes(count + 1, 99);
          ASSERT_TRUE(
              RmsNormQuantizeStatic({GetParam(), ShufflingFor(1)}, input, kScale, codes.data())
                  .ok());
          EXPECT_EQ(codes.back(), 99);
          codes.pop_back();
          EXPECT_EQ(codes, want.static_codes);
          if (add) {
            EXPECT_TRUE(SameFloats(residual.Floats(), want.h));
            EXPECT_TRUE(residual.GuardsHold());
          }

          residual = addend;
          if (add) input.residual = residual.matrix();
          std::vector<float> scales(static_cast<size_t>(rows));
          ASSERT_TRUE(RmsNormQuantizePerToken({GetParam(), ShufflingFor(2)}, input, codes.data(),
                                              scales.data())
                          .ok());
          EXPECT_EQ(codes, want.token_codes);
          EXPECT_TRUE(SameFloats(scales, want.scales));
          if (add) {
            EXPECT_TRUE(SameFloats(residual.Floats(), want.h));
          }
        }
      }
    }
  }
}

// The two halves of one matrix: rows lie between each other and do not overlap.
TEST_P(RmsNormTest, ResidualMayLieBetweenTheRowsOfX) {
  constexpr int64_t kRows = 3, kCols = 5;
  std::vector<float> both(2 * kRows * kCols, 1.0f);
  const std::vector<float> gain(kCols, 1.0f);
  const RmsNormInput input = {{both.data(), DataType::kFloat32, kRows, kCols, 2 * kCols},
                              gain.data(),
                              0.0f,
                              {both.data() + kCols, DataType::kFloat32, kRows, kCols, 2 * kCols}};
  std::vector<int8_t> codes(kRows * kCols);
  ASSERT_TRUE(RmsNormQuantizeStatic({GetParam(), SerialFor}, input, 0.5f, codes.data()).ok());
  EXPECT_THAT(codes, Each(2));
  EXPECT_EQ(both[kCols], 2.0f);
}

TEST_P(RmsNormTest, ValuesThatAreNotFinite) {
  constexpr int64_t kRows = 4, kCols = 100;
  std::vector<float> values(kRows * kCols, 1.0f);
  values[1 * kCols + 7] = kNan;       // the whole row is NaN
  values[2 * kCols + 9] = kInfinity;  // the factor is 0: 0 times infinity is NaN
  values[3 * kCols] = kMax;           // its square is infinite
  const std::vector<float> gain(kCols, 1.0f);
  const RmsNormInput input = {FloatMatrix(values.data(), kRows, kCols), gain.data(), 0.0f, {}};
  std::vector<int8_t> codes(kRows * kCols);
  const ShufflingFor shuffling_for(1);  // a context refers to it
  const CpuContext context = {GetParam(), shuffling_for};
  ASSERT_TRUE(RmsNormQuantizeStatic(context, input, 0.125f, codes.data()).ok());
  for (size_t i = 0; i < codes.size(); ++i) ASSERT_EQ(codes[i], i < kCols ? 8 : 0) << i;
  std::vector<float> scales(kRows);
  const absl::Status status = RmsNormQuantizePerToken(context, input, codes.data(), scales.data());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("row 1 of 4"));
}

TEST_P(RmsNormTest, NoRowsIsNoWork) {
  const float gain = 1;
  const RmsNormInput input = {FloatMatrix(nullptr, 0, 1), &gain, 0.0f, {}};
  const CpuContext context = {GetParam(), SerialFor};
  EXPECT_TRUE(RmsNormQuantizeStatic(context, input, 1.0f, nullptr).ok());
  EXPECT_TRUE(RmsNormQuantizePerToken(context, input, nullptr, nullptr).ok());
}

TEST_P(RmsNormTest, RefusesBadArgumentsAndWritesNothing) {
  std::vector<float> x(6, 1.0f), gain(3, 1.0f), residual(6, 9.0f);
  std::vector<int8_t> codes(6, 9);
  std::vector<float> scales(2, 9.0f);
  const RmsNormInput good = {FloatMatrix(x.data(), 2, 3), gain.data(), kEpsilon,
                             FloatMatrix(residual.data(), 2, 3)};
  struct Case {
    void (*change)(RmsNormInput&);
    std::string message;
  };
  const CpuContext context = {GetParam(), SerialFor};
  for (const Case& c : std::vector<Case>{
           {[](RmsNormInput& in) { in.x.data = nullptr; }, "x is null"},
           {[](RmsNormInput& in) { in.x.rows = -1; }, "shape of x is [-1, 3]"},
           {[](RmsNormInput& in) { in.x.cols = 0; }, "cols is 0"},
           {[](RmsNormInput& in) { in.x.row_stride = 2; }, "row_stride of x is 2"},
           {[](RmsNormInput& in) { in.x.data = static_cast<const char*>(in.x.data) + 2; },
            "x is at"},
           {[](RmsNormInput& in) { in.gain = nullptr; }, "gain is null"},
           {[](RmsNormInput& in) { in.gain = static_cast<const char*>(in.gain) + 1; },
            "gain is at"},
           {[](RmsNormInput& in) { in.gain = in.residual.data; }, "residual overlaps gain"},
           {[](RmsNormInput& in) { in.epsilon = -1; }, "epsilon is -1"},
           {[](RmsNormInput& in) { in.epsilon = kNan; }, "epsilon is nan"},
           {[](RmsNormInput& in) { in.epsilon = kInfinity; }, "epsilon is inf"},
           {[](RmsNormInput& in) { in.residual.rows = 1; }, "shape of residual is [1, 3]"},
           {[](RmsNormInput& in) { in.residual.type = DataType::kBFloat16; },
            "residual is of another type"},
           {[](RmsNormInput& in) { in.x.data = in.residual.data; }, "residual overlaps x"}}) {
    RmsNormInput input = good;
    c.change(input);
    for (const absl::Status& status :
         {RmsNormQuantizeStatic(context, input, 1, codes.data()),
          RmsNormQuantizePerToken(context, input, codes.data(), scales.data())}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
      EXPECT_THAT(status.message(), HasSubstr(c.message));
    }
  }
  int8_t* inside = reinterpret_cast<int8_t*>(residual.data());
  for (float scale : {0.0f, -1.0f, kNan, kInfinity}) {
    EXPECT_THAT(RmsNormQuantizeStatic(context, good, scale, codes.data()).message(),
                HasSubstr("scale[0] is"));
  }
  EXPECT_THAT(RmsNormQuantizeStatic(context, good, 1, nullptr).message(),
              HasSubstr("codes is null"));
  EXPECT_THAT(RmsNormQuantizeStatic(context, good, 1, inside).message(),
              HasSubstr("codes overlaps residual"));
  EXPECT_THAT(RmsNormQuantizePerToken(context, good, codes.data(), nullptr).message(),
              HasSubstr("scales is null"));
  EXPECT_THAT(RmsNormQuantizePerToken(context, good, codes.data(), x.data()).message(),
              HasSubstr("scales overlaps x"));
  EXPECT_THAT(codes, Each(9));
  EXPECT_THAT(residual, Each(9.0f));
  EXPECT_THAT(scales, Each(9.0f));
}

INSTANTIATE_TEST_SUITE_P(Paths, RmsNormTest, testing::ValuesIn(AvailableCpuPaths()), PathParamName);

}  // namespace
}  // namespace sasq::kernels
