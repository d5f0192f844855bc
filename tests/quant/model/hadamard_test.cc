#include "quant/model/hadamard.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/quant/status_matchers.h"

namespace sasq::testing {
namespace {

class HadamardTest : public ::testing::TestWithParam<int64_t> {};

TEST_P(HadamardTest, MatrixIsOrthogonalAndOfSigns) {
  const int64_t size = GetParam();
  const at::Tensor matrix = Hadamard::Create(size).value()->Matrix();
  ASSERT_EQ(matrix.sizes(), at::IntArrayRef({size, size}));
  const double unit = 1 / std::sqrt(static_cast<double>(size));
  EXPECT_TRUE((matrix.abs() == unit).all().item<bool>());
  // In float32 the products of signs and their sums are exact integers.
  const at::Tensor signs = (matrix / unit).to(at::kFloat);
  EXPECT_TRUE((at::matmul(signs, signs.t()) == size * at::eye(size)).all().item<bool>());
}

TEST_P(HadamardTest, AppliesItsMatrix) {
  const std::shared_ptr<const Hadamard> hadamard = Hadamard::Create(GetParam()).value();
  const at::Tensor x = at::randn({3, 2, GetParam()});
  const at::Tensor want = at::matmul(x.to(at::kDouble), hadamard->Matrix());
  const at::Tensor got = hadamard->Apply(x);
  EXPECT_EQ(got.sizes(), x.sizes());
  // Sums of standard normals over sqrt(n): about 1, with float32's rounding of some tens of sums.
  EXPECT_TRUE(at::allclose(got.to(at::kDouble), want, 0, 1e-5));
}

TEST_P(HadamardTest, HasTheGradientOfItsMatrix) {
  const std::shared_ptr<const Hadamard> hadamard = Hadamard::Create(GetParam()).value();
  const at::Tensor x = at::randn({3, GetParam()}).requires_grad_();
  const at::Tensor weights = at::randn({3, GetParam()});
  (hadamard->Apply(x) * weights).sum().backward();
  const at::Tensor want = at::matmul(weights.to(at::kDouble), hadamard->Matrix().t());
  EXPECT_TRUE(at::allclose(x.grad().to(at::kDouble), want, 0, 1e-5));  // as above
}

// Powers of two, both constructions of Paley, and sizes of models' layers.
INSTANTIATE_TEST_SUITE_P(Sizes, HadamardTest,
                         ::testing::Values(1, 2, 12, 20, 24, 28, 36, 40, 64, 160, 576, 1536));

// Of sizes whose whole matrix is too much for a test: rows of it, and their products.
TEST(LargeHadamardTest, RowsAreOrthogonalAndOfSigns) {
  constexpr int64_t kRows = 64;
  for (const int64_t size : {8960, 11008, 14336, 16384}) {
    SCOPED_TRACE(size);
    const at::Tensor units = at::eye(size).slice(0, 3, size, size / kRows);
    const at::Tensor rows = Hadamard::Create(size).value()->Apply(units);
    const float unit = 1 / std::sqrt(static_cast<float>(size));
    EXPECT_TRUE(at::allclose(rows.abs(), at::full_like(rows, unit), /*rtol=*/1e-6, 0));
    EXPECT_TRUE(at::allclose(at::matmul(rows, rows.t()), at::eye(rows.size(0)), 0, 1e-5));
  }
}

TEST(HadamardErrorTest, NamesASizeThatHasNoMatrix) {
  for (const int64_t size : {0, 3, 6, 18, 90}) {
    EXPECT_TRUE(IsInvalid(Hadamard::Create(size), "UNSUPPORTED_MODEL",
                          absl::StrCat("no Hadamard matrix of order ", size, " ")));
  }
}

}  // namespace
}  // namespace sasq::testing
