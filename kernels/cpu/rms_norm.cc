#include "kernels/rms_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/row_scales.h"

namespace sasq::kernels {
namespace {

absl::Status CheckInput(absl::string_view operation, const RmsNormInput& input, int8_t* codes,
                        const Buffer& scales) {
  const ConstMatrix& x = input.x;
  SASQ_RETURN_IF_ERROR(CheckShape(operation, "x", x));
  if (x.cols < 1) return InvalidSize(operation, "cols", x.cols, "at least 1");
  if (!(std::isfinite(input.epsilon) && input.epsilon >= 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": epsilon is ", input.epsilon, ", want finite and not negative"));
  }
  Matrix residual = {nullptr, x.type, 0, 0, 0};
  if (input.residual.data != nullptr) {
    residual = input.residual;
    SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "residual", residual, "x", x));
  }
  return CheckBuffers(
      operation,
      {MatrixBuffer("x", x), DenseBuffer("gain", input.gain, DataTypeBytes(x.type), x.cols)},
      {MatrixBuffer("residual", residual),
       DenseBuffer("codes", codes, sizeof(int8_t), x.rows * x.cols), scales});
}

// Runs quantize(row, end of the range of rows, normed row, gain) on every row of an input that was
// checked, ascending in each range until it returns false.
void ForEachNormedRow(
    const CpuContext& context, const CpuKernels& kernels, const RmsNormInput& input,
    absl::FunctionRef<bool(int64_t row, int64_t end, const NormedRow& normed, const float* gain)>
        quantize) {
  const ConstMatrix& x = input.x;
  const bool is_float = x.type == DataType::kFloat32;
  std::vector<float> gain_floats(is_float ? 0 : static_cast<size_t>(x.cols));
  const float* gain = static_cast<const float*>(input.gain);
  if (!is_float && x.rows > 0) {
    kernels.load(x.type, input.gain, x.cols, gain_floats.data());
    gain = gain_floats.data();
  }
  context.parallel_for(x.rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool adds = input.residual.data != nullptr;
      const bool is_last = row + 1 == end;
      const NormedRow normed =
          kernels.norm_row(x.type, At(x, row), adds ? At(input.residual, row) : nullptr, x.cols,
                           input.epsilon, is_last ? nullptr : At(x, row + 1),
                           adds && !is_last ? At(input.residual, row + 1) : nullptr);
      if (!quantize(row, end, normed, gain)) return;
    }
  });
}

// Second half of a row, which asks for the second half of the next row's columns.
void QuantizeNormed(const CpuKernels& kernels, const RmsNormInput& input, int64_t row, int64_t end,
                    const NormedRow& normed, const float* gain, float scale, int8_t* codes) {
  const ConstMatrix& x = input.x;
  for (int64_t col = 0; col < x.cols; col += kSecondPassPiece) {
    const int64_t count = std::min(kSecondPassPiece, x.cols - col);
    if (row + 1 < end) {
      PrefetchRow(x, row + 1, (x.cols + col) / 2, count / 2);
      if (input.residual.data != nullptr) {
        PrefetchRow(input.residual, row + 1, (x.cols + col) / 2, count / 2);
      }
    }
    kernels.quantize_normed_row(x.type, normed, gain, col, count, scale,
                                codes + row * x.cols + col);
  }
}

}  // namespace

absl::Status RmsNormQuantizeStatic(const CpuContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes) {
  constexpr absl::string_view kOperation = "RmsNormQuantizeStatic";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckInput(kOperation, input, codes, DenseBuffer("scale", nullptr, sizeof(float), 0)));
  ForEachNormedRow(context, *kernels, input,
                   [&](int64_t row, int64_t end, const NormedRow& normed, const float* gain) {
                     QuantizeNormed(*kernels, input, row, end, normed, gain, scale, codes);
                     return true;
                   });
  return absl::OkStatus();
}

absl::Status RmsNormQuantizePerToken(const CpuContext& context, const RmsNormInput& input,
                                     int8_t* codes, float* scales) {
  constexpr absl::string_view kOperation = "RmsNormQuantizePerToken";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckInput(kOperation, input, codes,
                                  DenseBuffer("scales", scales, sizeof(float), input.x.rows)));
  RowScales row_scales(scales, input.x.rows);
  ForEachNormedRow(context, *kernels, input,
                   [&](int64_t row, int64_t end, const NormedRow& normed, const float* gain) {
                     const uint32_t bits = kernels->max_normed_magnitude_bits(input.x.type, normed,
                                                                              gain, input.x.cols);
                     if (!row_scales.Set(row, bits)) return false;
                     QuantizeNormed(*kernels, input, row, end, normed, gain, scales[row], codes);
                     return true;
                   });
  return row_scales.status(kOperation, "the result");
}

}  // namespace sasq::kernels
