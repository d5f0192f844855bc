// Orthogonal Hadamard transforms of sizes that need not be powers of two (QuaRot, arXiv 2404.00456,
// section 4: 576, 1536, 14336, ...). For the engine alone: whoever includes this includes LibTorch.
//
// H_n = H_m (x) H_b (a Kronecker product), where b is a power of two (Sylvester's construction, the
// kernel of kernels/hadamard.h) and m the smallest order that Paley's constructions give
// (kernels/hadamard_matrix.h): 12, 20, 28, 36, 344, ...
#ifndef SASQ_QUANT_MODEL_HADAMARD_H_
#define SASQ_QUANT_MODEL_HADAMARD_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"

namespace sasq {

// x H_n / sqrt(n) on the last dimension. Immutable, so thread-safe.
class Hadamard {
 public:
  // INVALID_ARGUMENT (UNSUPPORTED_MODEL) if no construction gives `size`.
  static absl::StatusOr<std::shared_ptr<const Hadamard>> Create(
      int64_t size, at::Device device = at::Device(at::kCPU));

  int64_t size() const { return size_; }

  // Float32 of any leading dimensions; has a gradient. The rows of W become those of W H_n /
  // sqrt(n) too: with them a linear that reads the transformed x gives what W gave of x.
  at::Tensor Apply(const at::Tensor& x) const;

  // H_n / sqrt(n), float64 [size, size] on the CPU.
  at::Tensor Matrix() const;

 private:
  Hadamard(int64_t size, int64_t block, at::Tensor outer)
      : size_(size), block_(block), outer_(std::move(outer)) {}

  const int64_t size_;
  const int64_t block_;     // b
  const at::Tensor outer_;  // H_m transposed, divided by sqrt(m), [m, m]; undefined for m = 1
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_HADAMARD_H_
