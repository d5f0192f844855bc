#include "kernels/hadamard_matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sasq::kernels {
namespace {

using ::testing::ElementsAre;

TEST(HadamardMatrixTest, FactorsSizesOfModels) {
  // Size, power of two, order of the Paley matrix (1: none).
  const int64_t cases[][3] = {{1, 1, 1},        {64, 64, 1},     {4096, 4096, 1}, {576, 16, 36},
                              {896, 32, 28},    {1536, 128, 12}, {3584, 128, 28}, {5120, 256, 20},
                              {11008, 32, 344}, {14336, 512, 28}};
  for (const auto& [size, block, order] : cases) {
    const std::optional<HadamardFactors> factors = FactorHadamard(size);
    ASSERT_TRUE(factors.has_value()) << size;
    EXPECT_EQ(factors->block, block) << size;
    EXPECT_EQ(factors->outer.size(), order == 1 ? 0u : static_cast<size_t>(order)) << size;
  }
}

TEST(HadamardMatrixTest, GivesNothingForOtherSizes) {
  for (const int64_t size : {-4, 0, 3, 6, 18, 90}) EXPECT_FALSE(FactorHadamard(size)) << size;
}

TEST(HadamardMatrixTest, SignsAreThoseOfTheSeed) {
  // The highest bits of std::mt19937_64(0), whose sequence the C++ standard fixes.
  EXPECT_THAT(RandomSigns(8, 0), ElementsAre(1, -1, 1, -1, -1, 1, -1, 1));
  EXPECT_EQ(RandomSigns(100, 7), RandomSigns(100, 7));
  EXPECT_NE(RandomSigns(100, 7), RandomSigns(100, 8));
}

}  // namespace
}  // namespace sasq::kernels
