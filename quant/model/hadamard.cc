#include "quant/model/hadamard.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/sign.h>

#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kernels/hadamard_matrix.h"
#include "quant/format/model_error.h"
#include "quant/ops/ops.h"

namespace sasq {
namespace {

at::Tensor NormalizedTranspose(const kernels::SignMatrix& matrix) {
  const int64_t order = static_cast<int64_t>(matrix.size());
  const float unit = static_cast<float>(1 / std::sqrt(static_cast<double>(order)));
  std::vector<float> values;
  for (size_t column = 0; column < matrix.size(); ++column) {
    for (const std::vector<int>& row : matrix)
      values.push_back(static_cast<float>(row[column]) * unit);
  }
  return at::from_blob(values.data(), {order, order}, at::kFloat).clone();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Hadamard>> Hadamard::Create(int64_t size, at::Device device) {
  const std::optional<kernels::HadamardFactors> factors = kernels::FactorHadamard(size);
  if (factors.has_value()) {
    const at::Tensor outer =
        factors->outer.empty() ? at::Tensor() : NormalizedTranspose(factors->outer).to(device);
    return std::shared_ptr<const Hadamard>(new Hadamard(size, factors->block, outer));
  }
  return UnsupportedModel(absl::StrCat(
      "there is no Hadamard matrix of order ", size,
      " from a power of two and a Paley matrix: leave out the rotation that needs it"));
}

at::Tensor Hadamard::Apply(const at::Tensor& x) const {
  const at::Tensor inner = block_ > 1 ? ops::HadamardTransform(x.contiguous(), block_) : x;
  if (!outer_.defined()) return inner;
  const at::Tensor blocks = inner.reshape({-1, size_ / block_, block_});
  return at::matmul(outer_, blocks).view(x.sizes());
}

// Every element is +1 or -1 over sqrt(n), so its sign says it exactly.
at::Tensor Hadamard::Matrix() const {
  const at::Device device = outer_.defined() ? outer_.device() : at::Device(at::kCPU);
  const at::Tensor signs = at::sign(Apply(at::eye(size_, at::TensorOptions(device))));
  return signs.cpu().to(at::kDouble) / std::sqrt(static_cast<double>(size_));
}

}  // namespace sasq
