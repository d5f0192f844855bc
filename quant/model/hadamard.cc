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
#include "kernels/hadamard.h"
#include "quant/format/model_error.h"
#include "quant/ops/ops.h"

namespace sasq {
namespace {

// Orders of the dense part beyond this would cost more than the linear that follows.
constexpr int64_t kMaxOuterOrder = 1024;

// Rows of +1 and -1.
using SignMatrix = std::vector<std::vector<int>>;

bool IsPrime(int64_t n) {
  if (n < 2) return false;
  for (int64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

// Whether a is a square modulo the prime q: 1, or -1; 0 for a multiple of q.
std::vector<int> QuadraticCharacter(int64_t q) {
  std::vector<int> character(static_cast<size_t>(q), -1);
  character[0] = 0;
  for (int64_t i = 1; i < q; ++i) character[static_cast<size_t>(i * i % q)] = 1;
  return character;
}

// Paley's first construction, order q + 1: I + S, S = [0, 1; -1, Q], Q_ij = character(i - j).
SignMatrix PaleyOne(int64_t q) {
  const std::vector<int> character = QuadraticCharacter(q);
  const size_t order = static_cast<size_t>(q) + 1;
  SignMatrix matrix(order, std::vector<int>(order, 1));
  for (size_t i = 1; i < order; ++i) {
    matrix[i][0] = -1;
    for (size_t j = 1; j < order; ++j) {
      matrix[i][j] =
          i == j ? 1 : character[(i + static_cast<size_t>(q) - j) % static_cast<size_t>(q)];
    }
  }
  return matrix;
}

// Paley's second construction, order 2 (q + 1): in the symmetric S = [0, 1; 1, Q] a 0 becomes
// [1, -1; -1, -1] and +-1 becomes +-[1, 1; 1, -1].
SignMatrix PaleyTwo(int64_t q) {
  const std::vector<int> character = QuadraticCharacter(q);
  const size_t half = static_cast<size_t>(q) + 1;
  SignMatrix matrix(2 * half, std::vector<int>(2 * half));
  for (size_t i = 0; i < half; ++i) {
    for (size_t j = 0; j < half; ++j) {
      int s = 1;
      if (i == j) {
        s = 0;
      } else if (i > 0 && j > 0) {
        s = character[(i + static_cast<size_t>(q) - j) % static_cast<size_t>(q)];
      }
      matrix[2 * i][2 * j] = s == 0 ? 1 : s;
      matrix[2 * i][2 * j + 1] = matrix[2 * i + 1][2 * j] = s == 0 ? -1 : s;
      matrix[2 * i + 1][2 * j + 1] = s == 0 ? -1 : -s;
    }
  }
  return matrix;
}

std::optional<SignMatrix> PaleyMatrix(int64_t order) {
  if (order % 4 != 0) return std::nullopt;
  if (IsPrime(order - 1)) return PaleyOne(order - 1);  // order - 1 is 3 mod 4
  const int64_t q = order / 2 - 1;
  if (q % 4 == 1 && IsPrime(q)) return PaleyTwo(q);
  return std::nullopt;
}

at::Tensor NormalizedTranspose(const SignMatrix& matrix) {
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
  int64_t block = 1;
  while (block < kernels::kMaxHadamardBlock && size % (2 * block) == 0) block *= 2;
  if (block == size && size > 0) {
    return std::shared_ptr<const Hadamard>(new Hadamard(size, block, at::Tensor()));
  }
  for (; size > 0 && block >= 1 && size / block <= kMaxOuterOrder; block /= 2) {
    const std::optional<SignMatrix> outer = PaleyMatrix(size / block);
    if (!outer.has_value()) continue;
    return std::shared_ptr<const Hadamard>(
        new Hadamard(size, block, NormalizedTranspose(*outer).to(device)));
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
