#include "quant/format/weight_values.h"

#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

float FromBf16(uint16_t bits) { return FromBits(static_cast<uint32_t>(bits) << 16); }

// IEEE 754 binary16. Exponent and mantissa are moved into place and the exponent's bias corrected
// by an exact product, which gets subnormal numbers right as well.
float FromF16(uint16_t bits) {
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fff) << 13;
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const float value = FromBits(magnitude) * 0x1p112f;
  const bool special = (bits & 0x7c00) == 0x7c00;  // infinity or NaN
  uint32_t value_bits;
  std::memcpy(&value_bits, &value, sizeof(value_bits));
  return FromBits(sign | (special ? (magnitude | 0x7f800000) : value_bits));
}

template <float (*Convert)(uint16_t)>
void ReadHalves(const char* bytes, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, sizeof(bits));
    out[i] = Convert(bits);
  }
}

}  // namespace

bool IsWeightDtype(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kF16 || dtype == Dtype::kBF16;
}

void ReadAsFloat(const TensorView& view, int64_t first, int64_t count, float* out) {
  SASQ_CHECK(IsWeightDtype(view.dtype));
  SASQ_CHECK(first >= 0 && count >= 0 && first <= view.element_count() - count);
  const char* bytes = view.bytes.data() + first * DtypeSizeBytes(view.dtype);
  switch (view.dtype) {
    case Dtype::kF32:
      std::memcpy(out, bytes, static_cast<size_t>(count) * sizeof(float));
      return;
    case Dtype::kF16:
      return ReadHalves<FromF16>(bytes, count, out);
    default:
      return ReadHalves<FromBf16>(bytes, count, out);
  }
}

absl::Status CheckWeightForm(const TensorView& view, absl::Span<const int64_t> shape) {
  if (!IsWeightDtype(view.dtype)) {
    return InvalidModel(absl::StrCat("tensor ", view.name, " in ", view.file->path(),
                                     " has the type ", DtypeName(view.dtype),
                                     ", want F32, F16 or BF16: is the model quantized already?"));
  }
  if (absl::MakeConstSpan(view.shape) != shape) {
    return InvalidModel(absl::StrCat("tensor ", view.name, " in ", view.file->path(),
                                     " has the shape [", absl::StrJoin(view.shape, ", "),
                                     "], want [", absl::StrJoin(shape, ", "),
                                     "]: config.json and weights do not belong together"));
  }
  return absl::OkStatus();
}

}  // namespace sasq
