// Element types of the safetensors format.
#ifndef SASQ_QUANT_FORMAT_DTYPE_H_
#define SASQ_QUANT_FORMAT_DTYPE_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace sasq {

// In the order in which the safetensors library sorts them: smaller elements first.
enum class Dtype {
  kBool,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kF64,
  kI64,
  kU64,
};

// Bytes of one element: 1, 2, 4 or 8.
int64_t DtypeSizeBytes(Dtype dtype);

// The name in a safetensors header, such as "BF16".
absl::string_view DtypeName(Dtype dtype);

// Nothing if `name` is not the name of a dtype.
std::optional<Dtype> ParseDtype(absl::string_view name);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_DTYPE_H_
