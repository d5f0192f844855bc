// Values of the storage types on the host, as bytes.
#ifndef SASQ_TESTS_KERNELS_CUDA_STORAGE_VALUES_H_
#define SASQ_TESTS_KERNELS_CUDA_STORAGE_VALUES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "kernels/matrix.h"

namespace sasq::kernels {

// `value` rounded half to even, appended to `bytes`.
inline void AppendValue(DataType type, float value, std::vector<std::byte>* bytes) {
  const auto append = [bytes](const auto& stored) {
    const auto* begin = reinterpret_cast<const std::byte*>(&stored);
    bytes->insert(bytes->end(), begin, begin + sizeof(stored));
  };
  switch (type) {
    case DataType::kFloat32:
      return append(value);
    case DataType::kFloat16:
      return append(static_cast<_Float16>(value));
    case DataType::kBFloat16: {
      uint32_t bits;
      std::memcpy(&bits, &value, sizeof(bits));
      const uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1);
      return append(static_cast<uint16_t>(value == value ? rounded >> 16 : 0x7FFF));
    }
  }
}

// `count` values from -largest to largest.
inline std::vector<std::byte> RandomValues(DataType type, int64_t count, float largest,
                                           uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> values(-largest, largest);
  std::vector<std::byte> bytes;
  for (int64_t i = 0; i < count; ++i) AppendValue(type, values(generator), &bytes);
  return bytes;
}

// Codes from -128 to 127.
inline std::vector<std::byte> RandomCodes(int64_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<std::byte> bytes;
  for (int64_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(generator() >> 24));
  return bytes;
}

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_KERNELS_CUDA_STORAGE_VALUES_H_
