#include "kernels/quantize.h"

#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/row_scales.h"

namespace sasq::kernels {
namespace {

// Elements that one step of QuantizeStatic takes.
constexpr int64_t kStaticBlock = 16384;

}  // namespace

absl::Status QuantizeStatic(const CpuContext& context, const ConstMatrix& x, float scale,
                            int8_t* codes) {
  constexpr absl::string_view kOperation = "QuantizeStatic";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckBuffers(kOperation, {MatrixBuffer("x", x)},
                   {DenseBuffer("codes", codes, sizeof(int8_t), x.rows * x.cols)}));
  ForEachPiece(context.parallel_for, x.rows, x.cols, IsDense(x), kStaticBlock,
               [&](int64_t row, int64_t col, int64_t count) {
                 kernels->quantize(x.type, At(x, row, col), count, scale,
                                   codes + row * x.cols + col, nullptr);
               });
  return absl::OkStatus();
}

absl::Status QuantizePerToken(const CpuContext& context, const ConstMatrix& x, int8_t* codes,
                              float* scales) {
  constexpr absl::string_view kOperation = "QuantizePerToken";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckBuffers(kOperation, {MatrixBuffer("x", x)},
                                    {DenseBuffer("codes", codes, sizeof(int8_t), x.rows * x.cols),
                                     DenseBuffer("scales", scales, sizeof(float), x.rows)}));
  RowScales row_scales(scales, x.rows);
  context.parallel_for(x.rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const void* values = At(x, row);
      if (!row_scales.Set(row, kernels->max_magnitude_bits(x.type, values, x.cols))) return;
      kernels->quantize(x.type, values, x.cols, scales[row], codes + row * x.cols,
                        row + 1 < end ? At(x, row + 1) : nullptr);
    }
  });
  return row_scales.status(kOperation, "x");
}

}  // namespace sasq::kernels
