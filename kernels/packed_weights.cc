#include <algorithm>
#include <array>
#include <cstring>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/gemm.h"

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

// And back.
template <int64_t kGroupCodes>
void LoadGroups(const int8_t* panel, int64_t columns, int64_t groups, Square& square) {
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t c = 0; c < columns; ++c) {
      std::memcpy(&square[static_cast<size_t>(c * kSquareFeatures + g * kGroupCodes)],
                  panel + (g * columns + c) * kGroupCodes, kGroupCodes);
    }
  }
}

}  // namespace

absl::StatusOr<PackedWeights> PackedWeights::Pack(CpuPath path, const int8_t* w,
                                                  int64_t out_features, int64_t in_features,
                                                  absl::Span<const float> scales) {
  constexpr absl::string_view kOperation = "PackedWeights";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  if (out_features < 1) {
    return InvalidSize(kOperation, "out_features", out_features, "at least 1");
  }
  if (in_features < 1 || in_features > kMaxInFeatures) {
    return InvalidSize(kOperation, "in_features", in_features,
                       absl::StrCat("1..", kMaxInFeatures,
                                    ", beyond which an int32 sum of products can overflow"));
  }
  if (static_cast<int64_t>(scales.size()) != out_features) {
    return InvalidSize(kOperation, "the number of scales", static_cast<int64_t>(scales.size()),
                       absl::StrCat("one per output channel, ", out_features));
  }
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scales", scales));
  SASQ_RETURN_IF_ERROR(
      CheckBuffers(kOperation, {{"w", w, out_features * in_features, sizeof(int8_t)}}, {}));

  PackedWeights packed;
  packed.path_ = path;
  packed.out_features_ = out_features;
  packed.in_features_ = in_features;
  packed.group_codes_ = kernels->group_codes;
  packed.panel_columns_ = kernels->panel_columns;
  packed.scales_.assign(scales.begin(), scales.end());
  const int64_t panels = BlockCount(out_features, packed.panel_columns_);
  packed.codes_.resize(static_cast<size_t>(panels * packed.PanelBytes()));
  packed.first_sums_.resize(static_cast<size_t>(panels * packed.panel_columns_));
  for (int64_t panel = 0; panel < panels; ++panel) packed.PackPanel(w, panel, kernels->code_offset);
  return packed;
}

int64_t PackedWeights::PanelBytes() const {
  return BlockCount(in_features_, group_codes_) * group_codes_ * panel_columns_;
}

void PackedWeights::PackPanel(const int8_t* w, int64_t panel, int32_t code_offset) {
  const int64_t first = panel * panel_columns_;
  const int64_t columns = std::min(panel_columns_, out_features_ - first);
  int8_t* out = codes_.data() + panel * PanelBytes();
  for (int64_t k = 0; k < in_features_; k += kSquareFeatures) {
    const int64_t features = std::min(kSquareFeatures, in_features_ - k);
    Square square = {};
    for (int64_t c = 0; c < columns; ++c) {
      int8_t* codes = square.data() + c * kSquareFeatures;
      std::memcpy(codes, w + (first + c) * in_features_ + k, static_cast<size_t>(features));
      const int32_t sum = std::accumulate(codes, codes + features, int32_t{0});
      first_sums_[static_cast<size_t>(first + c)] -= code_offset * sum;
    }
    const int64_t groups = BlockCount(features, group_codes_);
    const auto store_groups = group_codes_ == 4 ? StoreGroups<4> : StoreGroups<2>;
    store_groups(square, panel_columns_, groups, out);
    out += groups * group_codes_ * panel_columns_;
  }
}

void PackedWeights::Dequantize(float* w, ParallelFor parallel_for) const {
  const auto unpack = [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) DequantizePanel(panel, w);
  };
  parallel_for(BlockCount(out_features_, panel_columns_), unpack);
}

void PackedWeights::DequantizePanel(int64_t panel, float* w) const {
  const int64_t first = panel * panel_columns_;
  const int64_t columns = std::min(panel_columns_, out_features_ - first);
  const int8_t* codes = codes_.data() + panel * PanelBytes();
  Square square;
  for (int64_t k = 0; k < in_features_; k += kSquareFeatures) {
    const int64_t features = std::min(kSquareFeatures, in_features_ - k);
    const int64_t groups = BlockCount(features, group_codes_);
    const auto load_groups = group_codes_ == 4 ? LoadGroups<4> : LoadGroups<2>;
    load_groups(codes, panel_columns_, groups, square);
    codes += groups * group_codes_ * panel_columns_;
    for (int64_t c = 0; c < columns; ++c) {
      const float scale = scales_[static_cast<size_t>(first + c)];
      const int8_t* row = square.data() + c * kSquareFeatures;
      float* out = w + (first + c) * in_features_ + k;
      for (int64_t i = 0; i < features; ++i) out[i] = scale * static_cast<float>(row[i]);
    }
  }
}

}  // namespace sasq::kernels
