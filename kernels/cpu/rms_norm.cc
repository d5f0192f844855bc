#include "kernels/rms_norm.h"

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

// A row in the middle of its two halves, and where the next one of the same range lies, if any.
struct RowInWork {
  int64_t row;
  NormedRow normed;
  const float* gain;
  const void* next_x;
  const void* next_residual;
};

// Runs quantize(row in work) on every row of an input that was checked, ascending in each range of
// rows until it returns false.
void ForEachNormedRow(const CpuContext& context, const CpuKernels& kernels,
                      const RmsNormInput& input,
                      absl::FunctionRef<bool(const RowInWork& work)> quantize) {
  const ConstMatrix& x = input.x;
  const bool adds = input.residual.data != nullptr;
  const float* gain = static_cast<const float*>(input.gain);
  std::vector<float> gain_floats;
  if (x.type != DataType::kFloat32 && x.rows > 0) {
    gain_floats.resize(static_cast<size_t>(x.cols));
    kernels.load(x.type, input.gain, x.cols, gain_floats.data());
    gain = gain_floats.data();
  }
  context.parallel_for(x.rows, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const bool is_last = row + 1 == end;
      const NormedRow normed = kernels.norm_row(
          x.type, At(x, row), adds ? At(input.residual, row) : nullptr, x.cols, input.epsilon);
      if (!quantize({.row = row,
                     .normed = normed,
                     .gain = gain,
                     .next_x = is_last ? nullptr : At(x, row + 1),
                     .next_residual = is_last || !adds ? nullptr : At(input.residual, row + 1)})) {
        return;
      }
    }
  });
}

void Quantize(const CpuKernels& kernels, const RmsNormInput& input, const RowInWork& work,
              float scale, int8_t* codes) {
  kernels.quantize_normed_row(input.x.type, work.normed, work.gain, input.x.cols, scale,
                              codes + work.row * input.x.cols, work.next_x, work.next_residual);
}

}  // namespace

absl::Status RmsNormQuantizeStatic(const CpuContext& context, const RmsNormInput& input,
                                   float scale, int8_t* codes) {
  constexpr absl::string_view kOperation = "RmsNormQuantizeStatic";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckInput(kOperation, input, codes, DenseBuffer("scale", nullptr, sizeof(float), 0)));
  ForEachNormedRow(context, *kernels, input, [&](const RowInWork& work) {
    Quantize(*kernels, input, work, scale, codes);
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
  ForEachNormedRow(context, *kernels, input, [&](const RowInWork& work) {
    const uint32_t bits =
        kernels->max_normed_magnitude_bits(input.x.type, work.normed, work.gain, input.x.cols);
    if (!row_scales.Set(work.row, bits)) return false;
    Quantize(*kernels, input, work, scales[work.row], codes);
    return true;
  });
  return row_scales.status(kOperation, "the result");
}

}  // namespace sasq::kernels
