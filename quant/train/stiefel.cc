#include "quant/train/stiefel.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>

namespace sasq {
namespace {

constexpr double kEpsilon = 1e-8;
// With q = 1/2 each iteration halves the error at least; this many reach the tolerance from any
// start.
constexpr int kMaxIterations = 60;

}  // namespace

int64_t CayleyStep(const CayleyOptions& options, double rate, const at::Tensor& gradient,
                   at::Tensor& momentum, at::Tensor& x) {
  const at::NoGradGuard no_grad;
  momentum = momentum * options.momentum - gradient;
  const at::Tensor projected = at::matmul(momentum, x.mT());
  const at::Tensor w = (projected - projected.mT()) * 0.5;
  momentum = at::matmul(w, x);
  // |W|_1, the largest sum of a column's magnitudes, of each matrix.
  const at::Tensor norm = w.abs().sum(-2, /*keepdim=*/true).amax(-1, /*keepdim=*/true);
  const at::Tensor alpha = (2 * options.trust / (norm + kEpsilon)).clamp_max(rate);
  const at::Tensor half_step = w * (0.5 * alpha);
  int64_t product_count = 2;
  at::Tensor y = x + alpha * momentum;
  for (int i = 0; i < kMaxIterations; ++i) {
    at::Tensor next = x + at::matmul(half_step, x + y);
    ++product_count;
    const double moved = (next - y).abs().max().item<double>();
    y = std::move(next);
    if (moved <= options.tolerance) break;
  }
  x = y;
  return product_count;
}

double OrthogonalityError(const at::Tensor& x) {
  const at::Tensor identity = at::eye(x.size(-1), x.options());
  return (at::matmul(x.mT(), x) - identity).abs().max().item<double>();
}

}  // namespace sasq
