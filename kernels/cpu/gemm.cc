#include "kernels/gemm.h"

#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/packed_layout.h"

namespace sasq::kernels {
namespace {

// Blocks are sized for the caches of one core: one tile's operands over a block of K stay in the
// first level (32 KB or more), the prepared activations of a chunk of rows in the second.
constexpr int64_t kMaxBlockBytes = 28 * 1024;
constexpr int64_t kMaxChunkRows = 192;
// From so many tiles in a chunk on, the next block of weights is fetched while the tiles run.
constexpr int64_t kMinPrefetchTiles = 3;
constexpr int64_t kCacheLineBytes = 64;

// Three quarters of the second cache.
int64_t MaxChunkBytes() {
  constexpr int64_t kLeast = 384 * 1024,
                    kMost = 1536 * 1024;  // also where the system does not tell
  static const int64_t bytes =
      std::clamp(int64_t{sysconf(_SC_LEVEL2_CACHE_SIZE)} / 4 * 3, kLeast, kMost);
  return bytes;
}

// One product, cut into items (chunk of rows, panel of columns), panels fastest.
class Product {
 public:
  Product(const CpuKernels& kernels, const int8_t* codes, const ActivationScales& x_scales,
          const PackedWeightsView& weights, const float* bias, const Matrix& y)
      : kernels_(kernels),
        layout_(kernels, weights.out_features, weights.in_features),
        codes_(codes),
        x_scales_(x_scales),
        weights_(reinterpret_cast<const int8_t*>(weights.packed)),
        first_sums_(reinterpret_cast<const int32_t*>(weights.packed + layout_.first_sums_offset)),
        w_scales_(weights.scales),
        bias_(bias),
        y_(y),
        groups_(layout_.groups),
        block_groups_(BlockGroups(kernels, groups_)),
        panels_(layout_.panels),
        rows_(y.rows),
        chunk_rows_(std::min(rows_, ChunkRows(kernels, groups_))) {}

  int64_t item_count() const { return BlockCount(rows_, chunk_rows_) * panels_; }

  void Run(int64_t begin, int64_t end) const {
    const std::unique_ptr<uint8_t[]> prepared(new uint8_t[chunk_rows_ * groups_ * 4]);
    int64_t prepared_chunk = -1;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t chunk = item / panels_;
      const int64_t first_row = chunk * chunk_rows_;
      const int64_t rows = std::min(chunk_rows_, rows_ - first_row);
      if (chunk != prepared_chunk) PrepareChunk(first_row, rows, prepared.get());
      prepared_chunk = chunk;
      RunPanel(prepared.get(), first_row, rows, item % panels_);
    }
  }

 private:
  static int64_t ChunkRows(const CpuKernels& kernels, int64_t groups) {
    const int64_t rows = std::min(MaxChunkBytes() / (groups * 4), kMaxChunkRows);
    return std::max(rows / kernels.tile_rows, int64_t{1}) * kernels.tile_rows;
  }

  // Blocks of equal size as far as possible.
  static int64_t BlockGroups(const CpuKernels& kernels, int64_t groups) {
    const int64_t group_bytes = kernels.panel_columns * kernels.group_codes + kernels.tile_rows * 4;
    return BlockCount(groups, BlockCount(groups, kMaxBlockBytes / group_bytes));
  }

  // Block after block of K, and within a block row after row: a tile reads one dense piece.
  void PrepareChunk(int64_t first_row, int64_t rows, uint8_t* prepared) const {
    const int64_t block_codes = block_groups_ * kernels_.group_codes;
    for (int64_t k = 0; k < layout_.in_features; k += block_codes) {
      const int64_t codes = std::min(block_codes, layout_.in_features - k);
      for (int64_t r = 0; r < rows; ++r) {
        kernels_.prepare(codes_ + (first_row + r) * layout_.in_features + k, codes, prepared);
        prepared += BlockCount(codes, kernels_.group_codes) * 4;
      }
    }
  }

  void RunPanel(const uint8_t* prepared, int64_t first_row, int64_t rows, int64_t panel) const {
    const int64_t panel_columns = kernels_.panel_columns;
    const int64_t column = panel * panel_columns;
    const int64_t group_bytes = panel_columns * kernels_.group_codes;
    int64_t block = panel * groups_ * group_bytes;  // offset in weights_
    alignas(kCacheLineBytes) int32_t sums[kMaxChunkRows * kMaxPanelColumns];
    for (int64_t group = 0; group < groups_; group += block_groups_) {
      const int64_t groups = std::min(block_groups_, groups_ - group);
      const int64_t next_block = block + groups * group_bytes;
      const bool is_first = group == 0;
      const bool is_last = group + groups == groups_;
      for (int64_t r = 0; r < rows; r += kernels_.tile_rows) {
        const int64_t tile_rows = std::min(kernels_.tile_rows, rows - r);
        int32_t* tile_sums = sums + r * panel_columns;
        PrefetchWeights(next_block, r, rows);
        kernels_.tile(tile_rows, prepared, groups * 4, weights_ + block, groups,
                      is_first ? first_sums_ + column : tile_sums, is_first ? 0 : panel_columns,
                      tile_sums);
        prepared += tile_rows * groups * 4;
        // At once, so that the stores to y drain while the next tile runs.
        if (is_last) Dequantize(tile_sums, first_row + r, tile_rows, column);
      }
      block = next_block;
    }
  }

  void Dequantize(const int32_t* sums, int64_t row, int64_t rows, int64_t column) const {
    const bool per_row = x_scales_.per_row != nullptr;
    kernels_.dequantize({.sums = sums,
                         .rows = rows,
                         .columns = std::min(kernels_.panel_columns, layout_.out_features - column),
                         .x_scales = per_row ? x_scales_.per_row + row : &x_scales_.scale,
                         .x_scale_stride = per_row ? 1 : 0,
                         .w_scales = w_scales_ + column,
                         .bias = bias_ == nullptr ? nullptr : bias_ + column,
                         .type = y_.type,
                         .y = At(y_, row, column),
                         .y_stride = y_.row_stride});
  }

  // Before the tile at row `r` of `rows`: fetches its share of the block of weights at the offset
  // `block` into the second cache. Else the first tile on each block would wait for memory.
  void PrefetchWeights(int64_t block, int64_t r, int64_t rows) const {
    const int64_t tiles = BlockCount(rows, kernels_.tile_rows);
    if (tiles < kMinPrefetchTiles) return;
    const int64_t group_bytes = kernels_.panel_columns * kernels_.group_codes;
    const int64_t share = BlockCount(block_groups_ * group_bytes, tiles);
    const int64_t first = block + r / kernels_.tile_rows * share;
    const int64_t end = std::min(first + share, panels_ * groups_ * group_bytes);
    for (int64_t line = first; line < end; line += kCacheLineBytes) {
      __builtin_prefetch(weights_ + line, 0, 2);
    }
  }

  const CpuKernels& kernels_;
  const PackedLayout layout_;
  const int8_t* const codes_;
  const ActivationScales x_scales_;
  const int8_t* const weights_;
  const int32_t* const first_sums_;
  const float* const w_scales_;
  const float* const bias_;
  const Matrix y_;
  const int64_t groups_;
  const int64_t block_groups_;
  const int64_t panels_;
  const int64_t rows_;
  const int64_t chunk_rows_;
};

}  // namespace

absl::Status Gemm(const CpuContext& context, const int8_t* codes, const ActivationScales& x_scales,
                  const PackedWeightsView& weights, const float* bias, const Matrix& y) {
  constexpr absl::string_view kOperation = "Gemm";
  if (context.path != weights.path) {
    return absl::InvalidArgumentError(
        absl::StrCat(kOperation, ": the weights are packed for ", CpuPathName(weights.path),
                     ", want the context's path, ", CpuPathName(context.path)));
  }
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckWeights(kOperation, weights));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "y", y));
  if (y.cols != weights.out_features) {
    return InvalidSize(kOperation, "the number of columns of y", y.cols,
                       absl::StrCat("the weights' out_features, ", weights.out_features));
  }
  SASQ_RETURN_IF_ERROR(CheckShape(
      kOperation, "codes", {codes, y.type, y.rows, weights.in_features, weights.in_features}));
  const bool per_row = x_scales.per_row != nullptr;
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      kOperation,
      {DenseBuffer("codes", codes, sizeof(int8_t), y.rows * weights.in_features),
       DenseBuffer("x_scales", x_scales.per_row, sizeof(float), per_row ? y.rows : 0),
       DenseBuffer("bias", bias, sizeof(float), bias == nullptr ? 0 : y.cols),
       DenseBuffer("packed weights", weights.packed, 1,
                   PackedLayout(*kernels, weights.out_features, weights.in_features).bytes),
       DenseBuffer("weights' scales", weights.scales, sizeof(float), weights.out_features)},
      {MatrixBuffer("y", y)}));
  if (per_row) {
    SASQ_RETURN_IF_ERROR(
        CheckScales(kOperation, "x_scales", {x_scales.per_row, static_cast<size_t>(y.rows)}));
  } else {
    SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "x_scales", {&x_scales.scale, 1}));
  }
  if (y.rows == 0) return absl::OkStatus();
  const Product product(*kernels, codes, x_scales, weights, bias, y);
  context.parallel_for(product.item_count(),
                       [&](int64_t begin, int64_t end) { product.Run(begin, end); });
  return absl::OkStatus();
}

}  // namespace sasq::kernels
