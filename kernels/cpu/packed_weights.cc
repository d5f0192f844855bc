#include "kernels/packed_weights.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/packed_layout.h"

namespace sasq::kernels {
namespace {

// Layouts are changed through squares of a panel's channels by so many features, which stay in the
// first cache. In a square, channel c has its codes from c * kSquareFeatures on.
constexpr int64_t kSquareFeatures = 64;
using Square = std::array<int8_t, kMaxPanelColumns * kSquareFeatures>;

// Square to groups of a panel, [group][column][code].
template <int64_t kGroupCodes>
void StoreGroups(const Square& square, int64_t columns, int64_t groups, int8_t* panel) {
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t c = 0; c < columns; ++c) {
      std::memcpy(panel + (g * columns + c) * kGroupCodes,
                  &square[static_cast<size_t>(c * kSquareFeatures + g * kGroupCodes)], kGroupCodes);
    }
  }
}

absl::Status CheckSizes(absl::string_view operation, int64_t out_features, int64_t in_features) {
  constexpr int64_t kMostOutFeatures = int64_t{1} << 40;
  if (out_features < 1 || out_features > kMostOutFeatures) {
    return InvalidSize(operation, "out_features", out_features, "1..2^40");
  }
  if (in_features < 1 || in_features > kMaxInFeatures) {
    return InvalidSize(operation, "in_features", in_features,
                       absl::StrCat("1..", kMaxInFeatures,
                                    ", beyond which an int32 sum of products can overflow"));
  }
  return absl::OkStatus();
}

void PackPanel(const PackedLayout& layout, const int8_t* w, int64_t panel, int32_t code_offset,
               std::byte* packed) {
  const int64_t first = panel * layout.panel_columns;
  const int64_t columns = std::min(layout.panel_columns, layout.out_features - first);
  auto* out = reinterpret_cast<int8_t*>(packed + panel * layout.panel_bytes);
  auto* first_sums = reinterpret_cast<int32_t*>(packed + layout.first_sums_offset) + first;
  std::fill_n(first_sums, layout.panel_columns, 0);
  for (int64_t k = 0; k < layout.in_features; k += kSquareFeatures) {
    const int64_t features = std::min(kSquareFeatures, layout.in_features - k);
    Square square = {};
    for (int64_t c = 0; c < columns; ++c) {
      int8_t* codes = square.data() + c * kSquareFeatures;
      std::memcpy(codes, w + (first + c) * layout.in_features + k, static_cast<size_t>(features));
      first_sums[c] -= code_offset * std::accumulate(codes, codes + features, int32_t{0});
    }
    const int64_t groups = BlockCount(features, layout.group_codes);
    const auto store_groups = layout.group_codes == 4 ? StoreGroups<4> : StoreGroups<2>;
    store_groups(square, layout.panel_columns, groups, out);
    out += groups * layout.group_codes * layout.panel_columns;
  }
}

}  // namespace

PackedLayout::PackedLayout(const CpuKernels& kernels, int64_t out, int64_t in)
    : out_features(out),
      in_features(in),
      group_codes(kernels.group_codes),
      panel_columns(kernels.panel_columns),
      groups(BlockCount(in, group_codes)),
      panels(BlockCount(out, panel_columns)),
      panel_bytes(groups * group_codes * panel_columns),
      first_sums_offset(BlockCount(panels * panel_bytes, kPackedAlignment) * kPackedAlignment),
      bytes(first_sums_offset + panels * panel_columns * int64_t{sizeof(int32_t)}) {}

absl::Status CheckWeights(absl::string_view operation, const PackedWeightsView& weights) {
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(weights.path));
  SASQ_RETURN_IF_ERROR(CheckSizes(operation, weights.out_features, weights.in_features));
  const PackedLayout layout(*kernels, weights.out_features, weights.in_features);
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      operation,
      {DenseBuffer("packed weights", weights.packed, kPackedAlignment,
                   BlockCount(layout.bytes, kPackedAlignment)),
       DenseBuffer("weights' scales", weights.scales, sizeof(float), weights.out_features)},
      {}));
  // The common case without branches: every product comes by here.
  uint32_t wrong = 0;
  for (int64_t n = 0; n < weights.out_features; ++n) {
    const auto bits = std::bit_cast<uint32_t>(weights.scales[n]);
    wrong |= static_cast<uint32_t>(bits - 1u >= kInfinityBits - 1u);
  }
  if (wrong == 0) return absl::OkStatus();
  return CheckScales(operation, "weights' scales",
                     {weights.scales, static_cast<size_t>(weights.out_features)});
}

absl::StatusOr<int64_t> PackedWeightsBytes(CpuPath path, int64_t out_features,
                                           int64_t in_features) {
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  SASQ_RETURN_IF_ERROR(CheckSizes("PackedWeightsBytes", out_features, in_features));
  return PackedLayout(*kernels, out_features, in_features).bytes;
}

absl::Status PackWeights(CpuPath path, const int8_t* w, int64_t out_features, int64_t in_features,
                         std::byte* packed) {
  constexpr absl::string_view kOperation = "PackWeights";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  SASQ_RETURN_IF_ERROR(CheckSizes(kOperation, out_features, in_features));
  const PackedLayout layout(*kernels, out_features, in_features);
  SASQ_RETURN_IF_ERROR(
      CheckBuffers(kOperation, {DenseBuffer("w", w, sizeof(int8_t), out_features * in_features)},
                   {DenseBuffer("packed", packed, kPackedAlignment,
                                BlockCount(layout.bytes, kPackedAlignment))}));
  for (int64_t panel = 0; panel < layout.panels; ++panel) {
    PackPanel(layout, w, panel, kernels->code_offset, packed);
  }
  return absl::OkStatus();
}

absl::StatusOr<PackedWeights> PackedWeights::Pack(CpuPath path, const int8_t* w,
                                                  int64_t out_features, int64_t in_features,
                                                  absl::Span<const float> scales) {
  constexpr absl::string_view kOperation = "PackedWeights";
  SASQ_ASSIGN_OR_RETURN(const int64_t bytes, PackedWeightsBytes(path, out_features, in_features));
  if (static_cast<int64_t>(scales.size()) != out_features) {
    return InvalidSize(kOperation, "the number of scales", static_cast<int64_t>(scales.size()),
                       absl::StrCat("one per output channel, ", out_features));
  }
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scales", scales));
  PackedWeights packed;
  packed.path_ = path;
  packed.out_features_ = out_features;
  packed.in_features_ = in_features;
  packed.scales_.assign(scales.begin(), scales.end());
  packed.packed_.resize(static_cast<size_t>(bytes));
  SASQ_RETURN_IF_ERROR(PackWeights(path, w, out_features, in_features, packed.packed_.data()));
  return packed;
}

PackedWeightsView PackedWeights::view() const {
  return {path_, out_features_, in_features_, packed_.data(), scales_.data()};
}

}  // namespace sasq::kernels
