#include "kernels/gemm.h"

#include <algorithm>
#include <cstddef>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"

namespace sasq::kernels {
namespace {

// Blocks are sized for the caches of one core: one tile's operands over a block of K stay in the
// first level (32 KB or more), the prepared activations of a chunk of rows in the second.
constexpr int64_t kMaxBlockBytes = 28 * 1024;
constexpr int64_t kMaxChunkBytes = 384 * 1024;
constexpr int64_t kMaxChunkRows = 192;
// From so many tiles in a chunk on, the next block of weights is fetched while the tiles run.
constexpr int64_t kMinPrefetchTiles = 3;
constexpr int64_t kCacheLineBytes = 64;

// One product, cut into items (chunk of rows, panel of columns), panels fastest.
class Product {
 public:
  // `weights` and `first_sums` as PackedWeights holds them.
  Product(const CpuKernels& kernels, const int8_t* codes, int64_t rows,
          absl::Span<const float> x_scales, int64_t in_features, const int8_t* weights,
          const int32_t* first_sums, absl::Span<const float> w_scales, const float* bias, float* y)
      : kernels_(kernels),
        codes_(codes),
        rows_(rows),
        x_scales_(x_scales),
        in_features_(in_features),
        weights_(weights),
        first_sums_(first_sums),
        w_scales_(w_scales),
        out_features_(static_cast<int64_t>(w_scales.size())),
        bias_(bias),
        y_(y),
        groups_(BlockCount(in_features, kernels.group_codes)),
        block_groups_(BlockGroups(kernels, groups_)),
        panels_(BlockCount(out_features_, kernels.panel_columns)),
        chunk_rows_(std::min(rows, ChunkRows(kernels, groups_))) {}

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
    const int64_t rows = std::min(kMaxChunkBytes / (groups * 4), kMaxChunkRows);
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
    for (int64_t k = 0; k < in_features_; k += block_codes) {
      const int64_t codes = std::min(block_codes, in_features_ - k);
      for (int64_t r = 0; r < rows; ++r) {
        kernels_.prepare(codes_ + (first_row + r) * in_features_ + k, codes, prepared);
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
    const bool is_static = x_scales_.size() == 1;
    kernels_.dequantize(sums, rows, std::min(kernels_.panel_columns, out_features_ - column),
                        x_scales_.data() + (is_static ? 0 : row), is_static ? 0 : 1,
                        w_scales_.data() + column, bias_ == nullptr ? nullptr : bias_ + column,
                        y_ + row * out_features_ + column, out_features_);
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
  const int8_t* const codes_;
  const int64_t rows_;
  const absl::Span<const float> x_scales_;
  const int64_t in_features_;
  const int8_t* const weights_;
  const int32_t* const first_sums_;
  const absl::Span<const float> w_scales_;
  const int64_t out_features_;
  const float* const bias_;
  float* const y_;
  const int64_t groups_;
  const int64_t block_groups_;
  const int64_t panels_;
  const int64_t chunk_rows_;
};

}  // namespace

absl::Status Gemm(const int8_t* codes, int64_t rows, absl::Span<const float> x_scales,
                  const PackedWeights& weights, absl::Span<const float> bias, float* y,
                  ParallelFor parallel_for) {
  constexpr absl::string_view kOperation = "Gemm";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(weights.path()));
  const int64_t in_features = weights.in_features();
  const int64_t out_features = weights.out_features();
  SASQ_ASSIGN_OR_RETURN(const int64_t code_count, CheckedCount(kOperation, rows, in_features));
  SASQ_ASSIGN_OR_RETURN(const int64_t y_count, CheckedCount(kOperation, rows, out_features));
  if (x_scales.size() != 1 && static_cast<int64_t>(x_scales.size()) != rows) {
    return InvalidSize(kOperation, "the number of x_scales", static_cast<int64_t>(x_scales.size()),
                       absl::StrCat("1 or one per row, ", rows));
  }
  if (!bias.empty() && static_cast<int64_t>(bias.size()) != out_features) {
    return InvalidSize(kOperation, "the number of bias values", static_cast<int64_t>(bias.size()),
                       absl::StrCat("0 or one per output channel, ", out_features));
  }
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "x_scales", x_scales));
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      kOperation,
      {{"codes", codes, code_count, sizeof(int8_t)},
       {"x_scales", x_scales.data(), static_cast<int64_t>(x_scales.size()), sizeof(float)},
       {"bias", bias.data(), static_cast<int64_t>(bias.size()), sizeof(float)}},
      {{"y", y, y_count, sizeof(float)}}));
  if (rows == 0) return absl::OkStatus();
  const Product product(*kernels, codes, rows, x_scales, in_features, weights.codes_.data(),
                        weights.first_sums_.data(), weights.scales_,
                        bias.empty() ? nullptr : bias.data(), y);
  parallel_for(product.item_count(), [&](int64_t begin, int64_t end) { product.Run(begin, end); });
  return absl::OkStatus();
}

}  // namespace sasq::kernels
