#include "kernels/paley.h"

#include <array>

namespace sasq::kernels {
namespace {

constexpr size_t kMaxDegree = 3;

bool IsPrime(int64_t n) {
  if (n < 2) return false;
  for (int64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

// The field of q = p^k elements for a prime p and k = 1, 2, 3: polynomials of degrees below k with
// coefficients modulo p, modulo a monic one of degree k without a root (of degree 2 or 3, that is
// one without a factor). Element i has the digits of i in base p as coefficients.
class Field {
 public:
  static std::optional<Field> Create(int64_t q) {
    for (int64_t p = 2; p <= q; ++p) {
      if (!IsPrime(p)) continue;
      int64_t power = p;
      for (size_t degree = 1; degree <= kMaxDegree; ++degree, power *= p) {
        if (power == q) return Field(p, degree, q);
      }
    }
    return std::nullopt;
  }

  int64_t size() const { return size_; }

  int64_t Subtract(int64_t a, int64_t b) const {
    Digits difference = DigitsOf(a);
    const Digits other = DigitsOf(b);
    for (size_t i = 0; i < degree_; ++i) difference[i] += p_ - other[i];
    return Number(difference);
  }

  int64_t Square(int64_t a) const {
    const Digits digits = DigitsOf(a);
    std::array<int64_t, 2 * kMaxDegree> product{};
    for (size_t i = 0; i < degree_; ++i) {
      for (size_t j = 0; j < degree_; ++j) product[i + j] += digits[i] * digits[j];
    }
    // x^degree is minus the rest of the modulus.
    for (size_t i = 2 * degree_ - 1; i-- > degree_;) {
      for (size_t j = 0; j < degree_; ++j) {
        product[i - degree_ + j] += product[i] % p_ * (p_ - modulus_[j]);
      }
    }
    return Number({product[0], product[1], product[2]});
  }

  // By element: 1 for the squares but 0, -1 for what is no square, 0 for 0.
  std::vector<int> QuadraticCharacter() const {
    std::vector<int> character(static_cast<size_t>(size_), -1);
    for (int64_t i = 1; i < size_; ++i) character[static_cast<size_t>(Square(i))] = 1;
    character[0] = 0;
    return character;
  }

 private:
  using Digits = std::array<int64_t, kMaxDegree>;

  Field(int64_t p, size_t degree, int64_t size) : p_(p), degree_(degree), size_(size) {
    if (degree == 1) return;  // modulo x: the integers modulo p
    while (HasRoot()) modulus_ = DigitsOf(Number(modulus_) + 1);
  }

  Digits DigitsOf(int64_t number) const {
    Digits digits{};
    for (size_t i = 0; i < degree_; ++i, number /= p_) digits[i] = number % p_;
    return digits;
  }

  int64_t Number(const Digits& digits) const {
    int64_t number = 0;
    for (size_t i = degree_; i-- > 0;) number = number * p_ + digits[i] % p_;
    return number;
  }

  bool HasRoot() const {
    for (int64_t x = 0; x < p_; ++x) {
      int64_t value = 1;
      for (size_t i = degree_; i-- > 0;) value = (value * x + modulus_[i]) % p_;
      if (value == 0) return true;
    }
    return false;
  }

  int64_t p_;
  size_t degree_;
  int64_t size_;
  Digits modulus_{};  // without the leading 1
};

// The matrix S of both constructions: [0, 1; corner, Q] with Q_ij = character(i - j) and a column
// of `corner`.
SignMatrix Core(const Field& field, int corner) {
  const std::vector<int> character = field.QuadraticCharacter();
  const size_t order = static_cast<size_t>(field.size()) + 1;
  SignMatrix core(order, std::vector<int>(order, 1));
  core[0][0] = 0;
  for (size_t i = 1; i < order; ++i) {
    core[i][0] = corner;
    for (size_t j = 1; j < order; ++j) {
      core[i][j] = character[static_cast<size_t>(
          field.Subtract(static_cast<int64_t>(i) - 1, static_cast<int64_t>(j) - 1))];
    }
  }
  return core;
}

// Order q + 1: I + S with S skew, for q = 3 mod 4.
SignMatrix PaleyOne(const Field& field) {
  SignMatrix matrix = Core(field, -1);
  for (size_t i = 0; i < matrix.size(); ++i) matrix[i][i] = 1;
  return matrix;
}

// Order 2 (q + 1): in the symmetric S of q = 1 mod 4 a 0 becomes [1, -1; -1, -1] and +-1 becomes
// +-[1, 1; 1, -1].
SignMatrix PaleyTwo(const Field& field) {
  const SignMatrix core = Core(field, 1);
  SignMatrix matrix(2 * core.size(), std::vector<int>(2 * core.size()));
  for (size_t i = 0; i < core.size(); ++i) {
    for (size_t j = 0; j < core.size(); ++j) {
      const int s = core[i][j];
      matrix[2 * i][2 * j] = s == 0 ? 1 : s;
      matrix[2 * i][2 * j + 1] = matrix[2 * i + 1][2 * j] = s == 0 ? -1 : s;
      matrix[2 * i + 1][2 * j + 1] = s == 0 ? -1 : -s;
    }
  }
  return matrix;
}

}  // namespace

std::optional<SignMatrix> PaleyMatrix(int64_t order) {
  if (order % 4 != 0) return std::nullopt;
  // order - 1 is 3 mod 4.
  if (const std::optional<Field> field = Field::Create(order - 1); field.has_value()) {
    return PaleyOne(*field);
  }
  const int64_t q = order / 2 - 1;
  if (q % 4 != 1) return std::nullopt;
  if (const std::optional<Field> field = Field::Create(q); field.has_value()) {
    return PaleyTwo(*field);
  }
  return std::nullopt;
}

}  // namespace sasq::kernels
