// Hadamard matrices of sizes that need not be powers of two, and the signs that randomize them
// (QuaRot, arXiv 2404.00456, section 4).
//
//   H_n = H_m (x) H_b, a Kronecker product of a Paley matrix (paley.h) and Sylvester's of a power
//   of two b, with the smallest m that gives n
#ifndef SASQ_KERNELS_HADAMARD_MATRIX_H_
#define SASQ_KERNELS_HADAMARD_MATRIX_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/paley.h"

namespace sasq::kernels {

struct HadamardFactors {
  int64_t block = 1;  // b, at most kMaxHadamardBlock of kernels/hadamard.h
  SignMatrix outer;   // H_m; no rows for m = 1
};

// Nothing if no construction gives `size`.
std::optional<HadamardFactors> FactorHadamard(int64_t size);

// `count` random signs, +1 or -1: the same in every standard library.
std::vector<int> RandomSigns(int64_t count, uint64_t seed);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_HADAMARD_MATRIX_H_
