#include "quant/model/float_weights.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"
#include "quant/ops/parallel_for.h"

namespace sasq {
namespace {

constexpr int64_t kBlock = 1 << 16;  // elements that one thread takes at a time

template <typename Bits>
Bits Load(const char* bytes, int64_t index) {
  Bits bits;
  std::memcpy(&bits, bytes + index * static_cast<int64_t>(sizeof(Bits)), sizeof(bits));
  return bits;
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

void CopyAsFloat(const TensorView& view, int64_t first, int64_t count, float* out) {
  ops::TorchParallelFor((count + kBlock - 1) / kBlock, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * kBlock;
    ReadAsFloat(view, first + from, std::min(count, end * kBlock) - from, out + from);
  });
}

absl::Status CheckWeights(const TensorView& view, absl::Span<const int64_t> shape) {
  SASQ_RETURN_IF_ERROR(CheckWeightForm(view, shape));
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
