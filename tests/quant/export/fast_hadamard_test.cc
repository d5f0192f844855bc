#include "quant/export/fast_hadamard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace sasq::testing {
namespace {

// Element (i, j) of the Kronecker product, times sqrt(n).
double SignOf(const kernels::HadamardFactors& factors, int64_t i, int64_t j) {
  const auto outer = [&](int64_t row, int64_t column) {
    return factors.outer.empty()
               ? 1
               : factors.outer[static_cast<size_t>(row)][static_cast<size_t>(column)];
  };
  const uint64_t common =
      static_cast<uint64_t>(i % factors.block) & static_cast<uint64_t>(j % factors.block);
  const int sylvester = __builtin_popcountll(common) % 2 == 0 ? 1 : -1;
  return outer(i / factors.block, j / factors.block) * sylvester;
}

class FastHadamardTest : public ::testing::TestWithParam<int64_t> {
 protected:
  // Row i of a matrix [37, size] times the diagonal of `diagonal` and the Hadamard matrix.
  std::vector<double> Reference(const std::vector<float>& x,
                                const std::vector<double>& diagonal) const {
    const int64_t n = GetParam();
    const kernels::HadamardFactors factors = *kernels::FactorHadamard(n);
    std::vector<double> y(x.size());
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t i = 0; i < n; ++i) {
          sum += x[static_cast<size_t>(row * n + i)] * diagonal[static_cast<size_t>(i)] *
                 SignOf(factors, i, j);
        }
        y[static_cast<size_t>(row * n + j)] = sum / std::sqrt(static_cast<double>(n));
      }
    }
    return y;
  }

  static constexpr int64_t kRows = 37;  // no multiple of what is transformed side by side
};

TEST_P(FastHadamardTest, RowsAndColumnsAreThoseOfTheMatrix) {
  const int64_t n = GetParam();
  std::mt19937 random(1);
  std::uniform_real_distribution<double> uniform(-1, 1);
  std::vector<float> x(static_cast<size_t>(kRows * n));
  for (float& value : x) value = static_cast<float>(uniform(random));
  std::vector<double> diagonal(static_cast<size_t>(n));
  for (double& value : diagonal) value = uniform(random);
  const std::vector<double> want = Reference(x, diagonal);

  const FastHadamard hadamard = *FastHadamard::Create(n);
  std::vector<float> rows = x;
  hadamard.TransformRows(rows.data(), kRows, diagonal);
  std::vector<float> columns(x.size());
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      columns[static_cast<size_t>(j * kRows + i)] = x[static_cast<size_t>(i * n + j)];
    }
  }
  hadamard.TransformColumns(columns.data(), kRows, diagonal);
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const size_t index = static_cast<size_t>(i * n + j);
      // One rounding to float32 of values of about 1.
      ASSERT_NEAR(rows[index], want[index], 1e-6) << i << ", " << j;
      ASSERT_EQ(columns[static_cast<size_t>(j * kRows + i)], rows[index]) << i << ", " << j;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FastHadamardTest, ::testing::Values(1, 2, 12, 16, 36, 64, 80, 576));

TEST(FastHadamardErrorTest, NothingForOtherSizes) {
  EXPECT_FALSE(FastHadamard::Create(18).has_value());
}

}  // namespace
}  // namespace sasq::testing
