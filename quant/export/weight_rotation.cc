#include "quant/export/weight_rotation.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

absl::StatusOr<FastHadamard> HadamardOf(absl::string_view size_name, int64_t size) {
  std::optional<FastHadamard> hadamard = FastHadamard::Create(size);
  if (hadamard.has_value()) return *std::move(hadamard);
  return UnsupportedModel(absl::StrCat(size_name, " is ", size,
                                       ", for which there is no Hadamard matrix: no job can have "
                                       "rotated this model"));
}

}  // namespace

absl::StatusOr<WeightRotation> WeightRotation::Create(const ModelConfig& config, uint64_t seed) {
  SASQ_ASSIGN_OR_RETURN(FastHadamard residual, HadamardOf("hidden_size", config.hidden_size));
  SASQ_ASSIGN_OR_RETURN(FastHadamard values, HadamardOf("head_dim", config.head_dim));
  const std::vector<int> signs = kernels::RandomSigns(config.hidden_size, seed);
  return WeightRotation(std::move(residual), std::move(values), {signs.begin(), signs.end()});
}

void WeightRotation::RotateReaders(float* rows, int64_t count,
                                   absl::Span<const float> gains) const {
  std::vector<double> factors(signs_.size());
  for (size_t i = 0; i < factors.size(); ++i) factors[i] = signs_[i] * gains[i];
  residual_.TransformRows(rows, count, factors);
}

void WeightRotation::RotateValueOutputs(float* matrix, int64_t head_count, int64_t columns) const {
  for (int64_t head = 0; head < head_count; ++head) {
    values_.TransformColumns(matrix + head * values_.size() * columns, columns);
  }
}

}  // namespace sasq
