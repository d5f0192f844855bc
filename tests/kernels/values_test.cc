// Conversions between the types, on each path, against the definitions in testing_values.h.
#include <cstdint>
#include <cstring>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/cpu/dispatch.h"
#include "tests/kernels/testing_parallel.h"
#include "tests/kernels/testing_values.h"

namespace sasq::kernels {
namespace {

constexpr DataType kHalfTypes[] = {DataType::kFloat16, DataType::kBFloat16};

class ValuesTest : public PathTest {
 protected:
  const CpuKernels& kernels_ = *FindKernels(GetParam()).value();
};

TEST_P(ValuesTest, EveryHalfLoadsExactly) {
  std::vector<uint16_t> halves(0x10000);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  for (DataType type : kHalfTypes) {
    std::vector<float> want;
    for (uint16_t half : halves) want.push_back(static_cast<float>(DecodeHalf(type, half)));
    std::vector<float> got(halves.size());
    kernels_.load(type, halves.data(), static_cast<int64_t>(halves.size()), got.data());
    EXPECT_TRUE(SameFloats(got, want)) << TypeName(type);
  }
}

// All upper halves of a float32 with lower halves on, beside and far from every tie.
TEST_P(ValuesTest, FloatsRoundHalfToEven) {
  std::vector<float> values;
  for (uint32_t high = 0; high < 0x10000; ++high) {
    for (uint32_t low : {0x0000u, 0x0001u, 0x0FFFu, 0x1000u, 0x1001u, 0x3000u, 0x7FFFu, 0x8000u,
                         0x8001u, 0xF000u, 0xFFFFu}) {
      const uint32_t bits = high << 16 | low;
      float value;
      std::memcpy(&value, &bits, sizeof(value));
      values.push_back(value);
    }
  }
  for (DataType type : kHalfTypes) {
    std::vector<uint16_t> got(values.size());
    kernels_.store(type, values.data(), static_cast<int64_t>(values.size()), got.data());
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(values[i])) {
        ASSERT_TRUE(std::isnan(DecodeHalf(type, got[i]))) << TypeName(type) << " " << i;
        continue;
      }
      const double rounded = RoundedTo(type, static_cast<double>(values[i]));
      ASSERT_EQ(got[i], EncodeHalf(type, rounded)) << TypeName(type) << " of " << values[i];
    }
  }
}

TEST_P(ValuesTest, NothingIsWrittenBehindTheEnd) {
  for (DataType type : kAllTypes) {
    for (int64_t count : {0, 1, 7, 15, 16, 17, 33}) {
      const std::vector<float> values(40, 1.5f);
      TypedMatrix y(type, 1, 40);
      const TypedMatrix before = y;
      kernels_.store(type, values.data(), count, y.matrix().data);
      std::vector<float> back(40, 9.0f);
      kernels_.load(type, y.matrix().data, count, back.data());
      for (int64_t i = 0; i < 40; ++i) {
        ASSERT_EQ(back[static_cast<size_t>(i)], i < count ? 1.5f : 9.0f);
        if (i >= count) {
          ASSERT_EQ(y.Get(0, i), before.Get(0, i));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Paths, ValuesTest, testing::ValuesIn(AvailableCpuPaths()), PathParamName);

}  // namespace
}  // namespace sasq::kernels
