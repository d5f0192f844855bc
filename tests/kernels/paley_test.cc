#include "kernels/paley.h"

#include <gtest/gtest.h>

namespace sasq::kernels {
namespace {

// n I = H H^T in integers, for every element +1 or -1.
void ExpectHadamard(const SignMatrix& matrix) {
  for (size_t i = 0; i < matrix.size(); ++i) {
    ASSERT_EQ(matrix[i].size(), matrix.size());
    for (const int sign : matrix[i]) ASSERT_EQ(sign * sign, 1);
    for (size_t j = 0; j < i; ++j) {
      int product = 0;
      for (size_t k = 0; k < matrix.size(); ++k) product += matrix[i][k] * matrix[j][k];
      ASSERT_EQ(product, 0) << "rows " << i << " and " << j;
    }
  }
}

// Primes of both constructions, then squares and cubes of primes (20 = 2 (9 + 1), 28 = 27 + 1,
// 52 = 2 (25 + 1), 100 = 2 (49 + 1), 252 = 2 (125 + 1), 344 = 343 + 1).
TEST(PaleyTest, GivesHadamardMatrices) {
  for (const int64_t order :
       {4, 12, 20, 24, 28, 36, 44, 52, 60, 76, 100, 108, 140, 148, 252, 344}) {
    SCOPED_TRACE(order);
    const std::optional<SignMatrix> matrix = PaleyMatrix(order);
    ASSERT_TRUE(matrix.has_value());
    ASSERT_EQ(matrix->size(), static_cast<size_t>(order));
    ExpectHadamard(*matrix);
  }
}

TEST(PaleyTest, GivesNothingForOtherOrders) {
  for (const int64_t order : {-4, 0, 1, 2, 3, 6, 10, 56, 92, 172}) {
    EXPECT_FALSE(PaleyMatrix(order).has_value()) << order;
  }
}

}  // namespace
}  // namespace sasq::kernels
