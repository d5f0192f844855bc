// Hadamard matrices of orders that are no powers of two, by Paley's constructions (R. E. A. C.
// Paley, "On orthogonal matrices", J. Math. Phys. 12, 1933).
#ifndef SASQ_KERNELS_PALEY_H_
#define SASQ_KERNELS_PALEY_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace sasq::kernels {

// Rows of +1 and -1.
using SignMatrix = std::vector<std::vector<int>>;

// A Hadamard matrix: its rows are orthogonal. For order = q + 1 with q = 3 mod 4 or order =
// 2 (q + 1) with q = 1 mod 4, where q is a prime, its square or its cube (12 = 11 + 1, 28 =
// 2 (13 + 1), 344 = 7^3 + 1); nothing for any other order. Memory and time grow with order^2.
std::optional<SignMatrix> PaleyMatrix(int64_t order);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_PALEY_H_
