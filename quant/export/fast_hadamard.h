// Hadamard transforms in float64, by factors instead of by the matrix.
#ifndef SASQ_QUANT_EXPORT_FAST_HADAMARD_H_
#define SASQ_QUANT_EXPORT_FAST_HADAMARD_H_

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/types/span.h"
#include "kernels/hadamard_matrix.h"

namespace sasq {

// x H_n / sqrt(n) with the H_n of kernels/hadamard_matrix.h, of float32 matrices in place, on all
// threads. Each value is transformed in float64 and rounded once. About n (m + log2(b)) additions a
// vector. Immutable, so thread-safe.
class FastHadamard {
 public:
  // Nothing if there is no Hadamard matrix of `size`.
  static std::optional<FastHadamard> Create(int64_t size);

  int64_t size() const { return size_; }

  // Each of `count` rows of `size` values. Value i of a row is multiplied by factors[i] first;
  // `factors` may be empty.
  void TransformRows(float* rows, int64_t count, absl::Span<const double> factors = {}) const;

  // Each of the columns of a row-major matrix [size, column_count]; row i is multiplied by
  // factors[i] first.
  void TransformColumns(float* matrix, int64_t column_count,
                        absl::Span<const double> factors = {}) const;

 private:
  FastHadamard(int64_t size, kernels::HadamardFactors factors)
      : size_(size), factors_(std::move(factors)) {}

  // Values i * `row_stride` + j * `lane_stride` of `lane_count` vectors j.
  struct Vectors {
    float* data;
    int64_t row_stride;
    int64_t lane_stride;
    int64_t lane_count;
  };
  void TransformAll(const Vectors& vectors, absl::Span<const double> factors) const;
  void TransformLanes(double* values, double* scratch) const;

  const int64_t size_;
  const kernels::HadamardFactors factors_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_FAST_HADAMARD_H_
