#include "kernels/quantize.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"

namespace sasq::kernels {
namespace {

// Elements that one step of QuantizeStatic takes.
constexpr int64_t kStaticBlock = 16384;
constexpr uint32_t kInfinityBits = 0x7F800000u;

// The scale of a row whose largest magnitude has the bits `bits`. Where the quotient would be zero
// or denormal, and so imprecise, the row counts as zeros.
float RowScale(uint32_t bits) {
  float magnitude;
  std::memcpy(&magnitude, &bits, sizeof(magnitude));
  const float scale = magnitude / 127.0f;
  return scale < std::numeric_limits<float>::min() ? 1.0f : scale;
}

absl::Status QuantizeRows(absl::string_view operation, CpuPath path, const float* x, int64_t rows,
                          int64_t cols, int8_t* codes, float* scales, ParallelFor parallel_for) {
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  SASQ_ASSIGN_OR_RETURN(const int64_t count, CheckedCount(operation, rows, cols));
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      operation, {{"x", x, count, sizeof(float)}},
      {{"codes", codes, count, sizeof(int8_t)}, {"scales", scales, rows, sizeof(float)}}));
  std::atomic<int64_t> first_bad_row{rows};
  parallel_for(rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* values = x + row * cols;
      const uint32_t bits = kernels->max_magnitude_bits(values, cols);
      if (bits >= kInfinityBits) {
        int64_t seen = first_bad_row.load();
        while (row < seen && !first_bad_row.compare_exchange_weak(seen, row)) {
        }
        return;
      }
      scales[row] = RowScale(bits);
      kernels->quantize(values, cols, scales[row], codes + row * cols);
    }
  });
  const int64_t bad_row = first_bad_row.load();
  if (bad_row == rows) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": row ", bad_row, " of ", rows,
                   " holds a NaN or an infinity, want finite values"));
}

}  // namespace

absl::Status QuantizeStatic(CpuPath path, const float* x, int64_t rows, int64_t cols, float scale,
                            int8_t* codes, ParallelFor parallel_for) {
  constexpr absl::string_view kOperation = "QuantizeStatic";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  SASQ_ASSIGN_OR_RETURN(const int64_t count, CheckedCount(kOperation, rows, cols));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {{"x", x, count, sizeof(float)}},
                                    {{"codes", codes, count, sizeof(int8_t)}}));
  parallel_for(BlockCount(count, kStaticBlock), [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kStaticBlock;
    const int64_t last = std::min(end * kStaticBlock, count);
    kernels->quantize(x + first, last - first, scale, codes + first);
  });
  return absl::OkStatus();
}

absl::Status QuantizePerToken(CpuPath path, const float* x, int64_t rows, int64_t cols,
                              int8_t* codes, float* scales, ParallelFor parallel_for) {
  return QuantizeRows("QuantizePerToken", path, x, rows, cols, codes, scales, parallel_for);
}

absl::Status QuantizeWeights(CpuPath path, const float* w, int64_t channels, int64_t cols,
                             int8_t* codes, float* scales, ParallelFor parallel_for) {
  return QuantizeRows("QuantizeWeights", path, w, channels, cols, codes, scales, parallel_for);
}

absl::Status FakeQuantizeBackward(CpuPath path, const float* x, const float* grad, int64_t rows,
                                  int64_t cols, float scale, float* grad_x, double* grad_scale,
                                  ParallelFor parallel_for) {
  constexpr absl::string_view kOperation = "FakeQuantizeBackward";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(path));
  SASQ_ASSIGN_OR_RETURN(const int64_t count, CheckedCount(kOperation, rows, cols));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  const Buffer grad_buffer = {"grad", grad, grad_x == grad ? 0 : count, sizeof(float)};
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      kOperation, {{"x", x, count, sizeof(float)}, grad_buffer},
      {{"grad_x", grad_x, count, sizeof(float)}, {"grad_scale", grad_scale, 1, sizeof(double)}}));
  const int64_t block_count = BlockCount(count, kBackwardBlock);
  std::vector<double> sums(static_cast<size_t>(block_count));
  parallel_for(block_count, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBackwardBlock;
      sums[static_cast<size_t>(block)] = kernels->fake_quantize_backward(
          x + first, grad + first, std::min(kBackwardBlock, count - first), scale, grad_x + first);
    }
  });
  double sum = 0;
  for (double part : sums) sum += part;
  *grad_scale = sum;
  return absl::OkStatus();
}

}  // namespace sasq::kernels
