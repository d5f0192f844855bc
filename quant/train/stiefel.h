// Gradient descent on orthogonal matrices: Cayley SGD with momentum (Li, Li and Todorovic,
// "Efficient Riemannian optimization on the Stiefel manifold via the Cayley transform", arXiv
// 2002.01113, algorithm 1), as SpinQuant uses it. For the engine alone: whoever includes this
// includes LibTorch.
#ifndef SASQ_QUANT_TRAIN_STIEFEL_H_
#define SASQ_QUANT_TRAIN_STIEFEL_H_

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace sasq {

struct CayleyOptions {
  double momentum = 0;      // beta, [0, 1)
  double trust = 0.5;       // q: alpha / 2 * |W|_1 <= q, which makes the iterations converge
  double tolerance = 1e-9;  // iterations end when no element moves by more
};

// One step of orthogonal matrices `x`, float64 [..., n, n], each by its own `gradient` (d loss /
// dx, Euclidean). `momentum` has the same shape, zeros at first. With a square x the algorithm's
// lines are
//   M = beta M - G,   W = (M x^T - x M^T) / 2,   M = W x,
//   alpha = min(rate, 2 q / (|W|_1 + 1e-8)),
//   y = x + alpha M,  then  y = x + alpha / 2 W (x + y)  again and again,
// whose limit (I - alpha/2 W)^-1 (I + alpha/2 W) x is orthogonal for a skew-symmetric W: what a
// step takes away from orthogonality is the tolerance, not its length. Only the part of G that is
// tangent to the manifold enters W. Returns the number of products of n x n matrices, the stack
// counting as one.
int64_t CayleyStep(const CayleyOptions& options, double rate, const at::Tensor& gradient,
                   at::Tensor& momentum, at::Tensor& x);

// The largest |x^T x - I| of a stack of matrices.
double OrthogonalityError(const at::Tensor& x);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_STIEFEL_H_
