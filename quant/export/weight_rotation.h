// The rotations that a job folds into the weights (quant/methods/rotation.h has the algebra), made
// again tensor by tensor: signed Hadamard matrices R1 = D H / sqrt(n) on the residual stream and
// R2 = H / sqrt(head_dim) on the values of each head.
#ifndef SASQ_QUANT_EXPORT_WEIGHT_ROTATION_H_
#define SASQ_QUANT_EXPORT_WEIGHT_ROTATION_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/export/fast_hadamard.h"
#include "quant/format/model_config.h"

namespace sasq {

// Every function works in place on float32, computes in float64 and rounds once, as the job did:
// the results differ at most by rare ties of that rounding. Immutable, so thread-safe.
class WeightRotation {
 public:
  // INVALID_ARGUMENT (UNSUPPORTED_MODEL) that names the size without a Hadamard matrix.
  static absl::StatusOr<WeightRotation> Create(const ModelConfig& config, uint64_t seed);

  // Rows [count, hidden_size] that read or are the stream: x R1.
  void RotateRows(float* rows, int64_t count) const {
    residual_.TransformRows(rows, count, signs_);
  }
  // The same of linears behind a norm of `gains` [hidden_size]: x diag(gains) R1.
  void RotateReaders(float* rows, int64_t count, absl::Span<const float> gains) const;
  // A matrix [hidden_size, in_features] that writes the stream: R1^T W.
  void RotateWriter(float* matrix, int64_t in_features) const {
    residual_.TransformColumns(matrix, in_features, signs_);
  }
  // Outputs [heads * head_dim, columns] of v_proj: R2^T of each head.
  void RotateValueOutputs(float* matrix, int64_t head_count, int64_t columns) const;
  // Rows [count, heads * head_dim] of o_proj: each head times R2.
  void RotateValueInputs(float* rows, int64_t count, int64_t head_count) const {
    values_.TransformRows(rows, count * head_count);
  }

 private:
  WeightRotation(FastHadamard residual, FastHadamard values, std::vector<double> signs)
      : residual_(std::move(residual)), values_(std::move(values)), signs_(std::move(signs)) {}

  const FastHadamard residual_;
  const FastHadamard values_;
  const std::vector<double> signs_;  // D
};

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_WEIGHT_ROTATION_H_
