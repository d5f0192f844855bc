#include "kernels/silu_mul.h"

#include <vector>

#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"
#include "kernels/cpu/row_scales.h"

namespace sasq::kernels {
namespace {

// Elements that one step of the static form takes.
constexpr int64_t kStaticBlock = 8192;

absl::Status CheckInput(absl::string_view operation, const ConstMatrix& gate, const ConstMatrix& up,
                        int8_t* codes, const Buffer& scales) {
  SASQ_RETURN_IF_ERROR(CheckShape(operation, "gate", gate));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(operation, "up", up, "gate", gate));
  if (gate.cols < 1) return InvalidSize(operation, "cols", gate.cols, "at least 1");
  return CheckBuffers(operation, {MatrixBuffer("gate", gate), MatrixBuffer("up", up)},
                      {DenseBuffer("codes", codes, sizeof(int8_t), gate.rows * gate.cols), scales});
}

}  // namespace

absl::Status SiluMulQuantizeStatic(const CpuContext& context, const ConstMatrix& gate,
                                   const ConstMatrix& up, float scale, int8_t* codes) {
  constexpr absl::string_view kOperation = "SiluMulQuantizeStatic";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckInput(kOperation, gate, up, codes, DenseBuffer("scale", nullptr, sizeof(float), 0)));
  ForEachPiece(context.parallel_for, gate.rows, gate.cols, IsDense(gate) && IsDense(up),
               kStaticBlock, [&](int64_t row, int64_t col, int64_t count) {
                 kernels->quantize_silu_mul(gate.type, At(gate, row, col), At(up, row, col), count,
                                            scale, codes + row * gate.cols + col);
               });
  return absl::OkStatus();
}

absl::Status SiluMulQuantizePerToken(const CpuContext& context, const ConstMatrix& gate,
                                     const ConstMatrix& up, int8_t* codes, float* scales) {
  constexpr absl::string_view kOperation = "SiluMulQuantizePerToken";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckInput(kOperation, gate, up, codes,
                                  DenseBuffer("scales", scales, sizeof(float), gate.rows)));
  const int64_t cols = gate.cols;
  RowScales row_scales(scales, gate.rows);
  context.parallel_for(gate.rows, [&](int64_t begin, int64_t end) {
    std::vector<float> product(static_cast<size_t>(cols));
    for (int64_t row = begin; row < end; ++row) {
      const uint32_t bits =
          kernels->silu_mul(gate.type, At(gate, row), At(up, row), cols, product.data());
      if (!row_scales.Set(row, bits)) return;
      kernels->quantize(DataType::kFloat32, product.data(), cols, scales[row], codes + row * cols,
                        nullptr);
    }
  });
  return row_scales.status(kOperation, "the result");
}

}  // namespace sasq::kernels
