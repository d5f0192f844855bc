#include "quant/train/stiefel.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <random>

namespace sasq::testing {
namespace {

constexpr int64_t kCount = 3;
constexpr int64_t kSize = 20;

at::Tensor Random(uint64_t seed) {
  std::mt19937_64 random(seed);
  const at::Tensor x = at::empty({kCount, kSize, kSize}, at::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data_ptr<double>()[i] = static_cast<double>(random() >> 11) * 0x1p-52 - 1;
  }
  return x;
}

at::Tensor Identities() {
  return at::eye(kSize, at::kDouble).expand({kCount, kSize, kSize}).clone();
}

// An orthogonal matrix of each: the Cayley transform of a random skew-symmetric one.
at::Tensor RandomOrthogonal(uint64_t seed) {
  const at::Tensor random = Random(seed);
  const at::Tensor skew = random - random.mT();
  return at::linalg_solve(Identities() - skew, Identities() + skew);
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST(StiefelTest, StaysOrthogonal) {
  at::Tensor x = RandomOrthogonal(1);
  ASSERT_LT(OrthogonalityError(x), 1e-12);
  at::Tensor momentum = at::zeros_like(x);
  for (uint64_t step = 1; step <= 50; ++step) {
    CayleyStep({.momentum = 0.9}, 1.5, Random(step), momentum, x);
  }
  EXPECT_GT(LargestDifference(x, RandomOrthogonal(1)), 0.1);
  // Each of 50 steps leaves off within 1e-9 of the limit.
  EXPECT_LT(OrthogonalityError(x), 50 * 1e-9 * kSize);
}

TEST(StiefelTest, StepIsTheCayleyTransform) {
  constexpr double kRate = 0.01;
  const at::Tensor start = RandomOrthogonal(2);
  const at::Tensor gradient = Random(3);
  at::Tensor x = start.clone();
  at::Tensor momentum = at::zeros_like(x);
  CayleyStep({}, kRate, gradient, momentum, x);
  const at::Tensor w = (at::matmul(start, gradient.mT()) - at::matmul(gradient, start.mT())) * 0.5;
  const at::Tensor half = w * (kRate / 2);
  const at::Tensor want =
      at::linalg_solve(Identities() - half, at::matmul(Identities() + half, start));
  // The iterations' tolerance is 1e-9, and each of them halves the error or better.
  EXPECT_LT(LargestDifference(x, want), 1e-8);
  EXPECT_LT(LargestDifference(momentum, at::matmul(w, start)), 1e-12);
}

// A gradient that changes lengths and angles says nothing about where to go.
TEST(StiefelTest, OnlyTheTangentPartCounts) {
  const at::Tensor start = RandomOrthogonal(4);
  const at::Tensor symmetric = Random(5) + Random(5).mT();
  at::Tensor x = start.clone(), y = start.clone();
  at::Tensor x_momentum = at::zeros_like(x), y_momentum = at::zeros_like(x);
  CayleyStep({}, 0.1, Random(6), x_momentum, x);
  CayleyStep({}, 0.1, Random(6) + at::matmul(start, symmetric), y_momentum, y);
  EXPECT_GT(LargestDifference(x, start), 0.01);
  EXPECT_LT(LargestDifference(x, y), 1e-12);
}

// However large the gradient, the step is bounded and its iterations converge.
TEST(StiefelTest, HugeGradientsDoNotBreakIt) {
  at::Tensor x = RandomOrthogonal(7);
  at::Tensor momentum = at::zeros_like(x);
  CayleyStep({}, 1.5, Random(8) * 1e9, momentum, x);
  EXPECT_LT(OrthogonalityError(x), 1e-7);
}

// Descends to the nearest point of ||x - target||^2 / 2, which is the target itself.
TEST(StiefelTest, FindsARotation) {
  // A rotation that is not far: the Cayley transform of small numbers.
  const at::Tensor random = Random(9) * 0.05;
  const at::Tensor skew = random - random.mT();
  const at::Tensor target = at::linalg_solve(Identities() - skew, Identities() + skew);
  at::Tensor x = Identities();
  at::Tensor momentum = at::zeros_like(x);
  ASSERT_GT(LargestDifference(x, target), 0.1);
  for (int step = 0; step < 200; ++step) CayleyStep({}, 0.5, x - target, momentum, x);
  EXPECT_LT(LargestDifference(x, target), 1e-6);
}

}  // namespace
}  // namespace sasq::testing
