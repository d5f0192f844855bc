#include "quant/model/float_weights.h"

#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/ops/parallel_for.h"

namespace sasq {
namespace {

constexpr int64_t kBlock = 1 << 16;  // elements that one thread takes at a time

float FromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

template <typename Bits>
Bits Load(const char* bytes, int64_t index) {
  Bits bits;
  std::memcpy(&bits, bytes + index * static_cast<int64_t>(sizeof(Bits)), sizeof(bits));
  return bits;
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

template <typename Bits, float (*Convert)(Bits)>
void CopyBlock(const char* bytes, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = Convert(Load<Bits>(bytes, i));
}

// Whether any of the elements has an exponent of all ones.
template <typename Bits>
bool AnySpecial(const char* bytes, int64_t count, Bits exponent_mask) {
  bool any = false;
  for (int64_t i = 0; i < count; ++i) {
    any |= (Load<Bits>(bytes, i) & exponent_mask) == exponent_mask;
  }
  return any;
}

bool AnySpecial(const TensorView& view, int64_t first, int64_t count) {
  const char* bytes = view.bytes.data() + first * DtypeSizeBytes(view.dtype);
  switch (view.dtype) {
    case Dtype::kF32:
      return AnySpecial<uint32_t>(bytes, count, 0x7f800000);
    case Dtype::kF16:
      return AnySpecial<uint16_t>(bytes, count, 0x7c00);
    default:
      return AnySpecial<uint16_t>(bytes, count, 0x7f80);
  }
}

// The first of the blocks that holds a NaN or an infinity, or `block_count`.
int64_t FirstBadBlock(const TensorView& view, int64_t block_count) {
  std::atomic<int64_t> first_bad = block_count;
  ops::TorchParallelFor(block_count, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock;
      const int64_t count = std::min(kBlock, view.element_count() - first);
      if (!AnySpecial(view, first, count)) continue;
      int64_t seen = first_bad.load();
      while (block < seen && !first_bad.compare_exchange_weak(seen, block)) {
      }
      return;
    }
  });
  return first_bad.load();
}

}  // namespace

bool IsWeightDtype(Dtype dtype) {
  return dtype == Dtype::kF32 || dtype == Dtype::kF16 || dtype == Dtype::kBF16;
}

void CopyAsFloat(const TensorView& view, int64_t first, int64_t count, float* out) {
  SASQ_CHECK(IsWeightDtype(view.dtype));
  SASQ_CHECK(first >= 0 && count >= 0 && first <= view.element_count() - count);
  const int64_t element_bytes = DtypeSizeBytes(view.dtype);
  const char* bytes = view.bytes.data() + first * element_bytes;
  ops::TorchParallelFor((count + kBlock - 1) / kBlock, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * kBlock;
    const int64_t block_count = std::min(count, end * kBlock) - from;
    const char* block = bytes + from * element_bytes;
    switch (view.dtype) {
      case Dtype::kF32:
        std::memcpy(out + from, block, static_cast<size_t>(block_count) * sizeof(float));
        return;
      case Dtype::kF16:
        return CopyBlock<uint16_t, FromF16>(block, block_count, out + from);
      default:
        return CopyBlock<uint16_t, FromBf16>(block, block_count, out + from);
    }
  });
}

absl::Status CheckWeights(const TensorView& view, absl::Span<const int64_t> shape) {
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
  const int64_t block_count = (view.element_count() + kBlock - 1) / kBlock;
  const int64_t bad_block = FirstBadBlock(view, block_count);
  if (bad_block == block_count) return absl::OkStatus();
  int64_t index = bad_block * kBlock;
  while (!AnySpecial(view, index, 1)) ++index;
  float value;
  CopyAsFloat(view, index, 1, &value);
  return InvalidModel(absl::StrCat("tensor ", view.name, " in ", view.file->path(), " holds ",
                                   value, " at element ", index,
                                   ", want finite weights: the file is damaged or the training "
                                   "that made it diverged"));
}

}  // namespace sasq
