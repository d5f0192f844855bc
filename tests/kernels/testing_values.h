// Matrices of any type with known values, and the slow, obvious conversions behind them.
#ifndef SASQ_TESTS_KERNELS_TESTING_VALUES_H_
#define SASQ_TESTS_KERNELS_TESTING_VALUES_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/matrix.h"

namespace sasq::kernels {

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
inline constexpr float kDenormal = std::numeric_limits<float>::denorm_min();
inline constexpr float kMax = std::numeric_limits<float>::max();

inline constexpr DataType kAllTypes[] = {DataType::kFloat32, DataType::kFloat16,
                                         DataType::kBFloat16};

inline std::string TypeName(DataType type) {
  return type == DataType::kFloat32   ? "float32"
         : type == DataType::kFloat16 ? "float16"
                                      : "bfloat16";
}

// The format of a 16-bit type: bits of the fraction, and the exponent of its smallest normal value.
struct HalfFormat {
  int fraction_bits;
  int min_exponent;
};
inline HalfFormat FormatOf(DataType type) {
  return type == DataType::kFloat16 ? HalfFormat{10, -14} : HalfFormat{7, -126};
}

// The nearest value of `type`, ties to the even one, by the definition: multiples of a power of
// two.
inline double RoundedTo(DataType type, double value) {
  if (type == DataType::kFloat32) return static_cast<double>(static_cast<float>(value));
  if (!std::isfinite(value) || value == 0) return value;
  const HalfFormat format = FormatOf(type);
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const double quantum = std::ldexp(1.0, exponent - format.fraction_bits);
  const double rounded = std::nearbyint(value / quantum) * quantum;
  const double end = std::ldexp(1.0, 2 - format.min_exponent);  // the largest exponent is 1 - min
  return std::fabs(rounded) < end ? rounded
                                  : std::copysign(std::numeric_limits<double>::infinity(), value);
}

// Encoding of a value of a 16-bit type, and back.
inline uint16_t EncodeHalf(DataType type, double value) {
  const HalfFormat format = FormatOf(type);
  const uint32_t special = ((1u << (15 - format.fraction_bits)) - 1) << format.fraction_bits;
  const uint32_t sign = std::signbit(value) ? 0x8000u : 0;
  if (std::isnan(value))
    return static_cast<uint16_t>(sign | special | 1u << (format.fraction_bits - 1));
  if (std::isinf(value)) return static_cast<uint16_t>(sign | special);
  if (value == 0) return static_cast<uint16_t>(sign);
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const auto significand =
      static_cast<uint32_t>(std::ldexp(std::fabs(value), format.fraction_bits - exponent));
  // The implicit bit of a normal value adds 1 to the exponent's field.
  const auto field = static_cast<uint32_t>(exponent - format.min_exponent);
  return static_cast<uint16_t>(sign | ((field << format.fraction_bits) + significand));
}
inline double DecodeHalf(DataType type, uint16_t bits) {
  const HalfFormat format = FormatOf(type);
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const int field = (bits & 0x7FFF) >> format.fraction_bits;
  const int ones = (1 << (15 - format.fraction_bits)) - 1;
  double value = std::ldexp(fraction + (field > 0 ? 1 << format.fraction_bits : 0),
                            std::max(field, 1) - 1 + format.min_exponent - format.fraction_bits);
  if (field == ones) value = fraction == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  return (bits & 0x8000) != 0 ? -value : value;
}

// A matrix in memory of its own, with a guard after each row and behind the end.
class TypedMatrix {
 public:
  TypedMatrix(DataType type, int64_t rows, int64_t cols, int64_t padding = 0)
      : type_(type), rows_(rows), cols_(cols), stride_(cols + padding) {
    bytes_.assign(static_cast<size_t>((rows * stride_ + kGuard) * DataTypeBytes(type)), kGuardByte);
  }
  // The values rounded to `type`.
  TypedMatrix(DataType type, int64_t rows, int64_t cols, const std::vector<float>& values,
              int64_t padding = 0)
      : TypedMatrix(type, rows, cols, padding) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) Set(r, c, values[static_cast<size_t>(r * cols + c)]);
    }
  }

  Matrix matrix() { return {bytes_.data(), type_, rows_, cols_, stride_}; }
  ConstMatrix matrix() const { return {bytes_.data(), type_, rows_, cols_, stride_}; }
  DataType type() const { return type_; }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }

  float Get(int64_t row, int64_t col) const {
    if (type_ == DataType::kFloat32) return Read<float>(row, col);
    return static_cast<float>(DecodeHalf(type_, Read<uint16_t>(row, col)));
  }
  void Set(int64_t row, int64_t col, float value) {
    if (type_ == DataType::kFloat32) {
      std::memcpy(&bytes_[Index(row, col)], &value, sizeof(value));
    } else {
      const uint16_t bits = EncodeHalf(type_, RoundedTo(type_, static_cast<double>(value)));
      std::memcpy(&bytes_[Index(row, col)], &bits, sizeof(bits));
    }
  }

  // Every value as float, row by row.
  std::vector<float> Floats() const {
    std::vector<float> values;
    for (int64_t r = 0; r < rows_; ++r) {
      for (int64_t c = 0; c < cols_; ++c) values.push_back(Get(r, c));
    }
    return values;
  }

  // Whether nobody wrote between rows or behind the last.
  bool GuardsHold() const {
    const int64_t element = DataTypeBytes(type_);
    for (size_t i = 0; i < bytes_.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i) / element;
      const bool is_value = at < rows_ * stride_ && at % stride_ < cols_;
      if (!is_value && bytes_[i] != kGuardByte) return false;
    }
    return true;
  }

 private:
  static constexpr int64_t kGuard = 64;
  static constexpr unsigned char kGuardByte = 0x5A;

  size_t Index(int64_t row, int64_t col) const {
    return static_cast<size_t>((row * stride_ + col) * DataTypeBytes(type_));
  }
  template <class T>
  T Read(int64_t row, int64_t col) const {
    T value;
    std::memcpy(&value, &bytes_[Index(row, col)], sizeof(value));
    return value;
  }

  DataType type_;
  int64_t rows_, cols_, stride_;
  std::vector<unsigned char> bytes_;
};

// Equal bits; one NaN is as good as another.
inline bool SameFloats(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return false;
  }
  return true;
}

// Dense float32, also of memory that is only read.
inline Matrix FloatMatrix(const float* data, int64_t rows, int64_t cols) {
  return DenseMatrix(const_cast<float*>(data), rows, cols);
}

// The definition of a code, by the standard library's own rounding (half to even by default).
inline int8_t ReferenceCode(float x, float scale) {
  const float v = x / scale;
  if (std::isnan(v)) return 0;
  return static_cast<int8_t>(std::fmin(std::fmax(std::nearbyint(v), -128.0f), 127.0f));
}

// The scale of a row of finite values by its definition.
inline float ReferenceRowScale(const std::vector<float>& row) {
  float magnitude = 0.0f;
  for (float value : row) magnitude = std::fmax(magnitude, std::fabs(value));
  const float scale = magnitude / 127.0f;
  return scale < std::numeric_limits<float>::min() ? 1.0f : scale;
}

inline std::vector<float> NormalValues(size_t count, float deviation, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, deviation);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// Values of all sizes, every half-way point of the range, its ends and neighbours, and specials.
inline std::vector<float> DifficultValues(float scale, size_t count, uint32_t seed) {
  std::vector<float> values = {kInfinity, -kInfinity, kNan, -kNan, 0.0f,  -0.0f,
                               kDenormal, -kDenormal, kMax, -kMax, 1e-38f};
  for (int code = -130; code <= 130; ++code) {
    const float half = (static_cast<float>(code) + 0.5f) * scale;
    for (float value : {half, std::nextafter(half, kInfinity), std::nextafter(half, -kInfinity),
                        static_cast<float>(code) * scale}) {
      values.push_back(value);
    }
  }
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.0f, 60.0f * scale);
  while (values.size() < count) values.push_back(normal(random));
  std::shuffle(values.begin(), values.end(), random);
  values.resize(count);
  return values;
}

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_KERNELS_TESTING_VALUES_H_
