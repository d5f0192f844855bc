#include "kernels/hadamard_matrix.h"

#include <random>
#include <utility>

#include "kernels/hadamard.h"

namespace sasq::kernels {
namespace {

// Orders of the dense part beyond this would cost more than the linear that follows.
constexpr int64_t kMaxOuterOrder = 1024;

}  // namespace

std::optional<HadamardFactors> FactorHadamard(int64_t size) {
  int64_t block = 1;
  while (block < kMaxHadamardBlock && size % (2 * block) == 0) block *= 2;
  if (block == size && size > 0) return HadamardFactors{block, {}};
  for (; size > 0 && block >= 1 && size / block <= kMaxOuterOrder; block /= 2) {
    std::optional<SignMatrix> outer = PaleyMatrix(size / block);
    if (outer.has_value()) return HadamardFactors{block, *std::move(outer)};
  }
  return std::nullopt;
}

std::vector<int> RandomSigns(int64_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<int> signs;
  signs.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) signs.push_back((random() >> 63) != 0 ? -1 : 1);
  return signs;
}

}  // namespace sasq::kernels
