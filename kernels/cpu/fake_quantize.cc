#include "kernels/fake_quantize.h"

#include <algorithm>
#include <vector>

#include "common/status_macros.h"
#include "kernels/arguments.h"
#include "kernels/cpu/dispatch.h"

namespace sasq::kernels {
namespace {

// Elements that one step of FakeQuantize takes.
constexpr int64_t kForwardBlock = 16384;

// `matrix`, or an empty one if `output` lies in the same place.
ConstMatrix UnlessInPlace(const ConstMatrix& matrix, const ConstMatrix& output) {
  return SameMatrix(matrix, output) ? ConstMatrix{nullptr, matrix.type, 0, 0, 0} : matrix;
}

// Runs of elements within one row that make up [index, index + count) of a matrix read row by row.
template <typename Body>
void ForEachRun(int64_t cols, int64_t index, int64_t count, const Body& body) {
  for (int64_t done = 0; done < count;) {
    const int64_t col = (index + done) % cols;
    const int64_t size = std::min(count - done, cols - col);
    body((index + done) / cols, col, done, size);
    done += size;
  }
}

// A block of FakeQuantizeBackward as floats, one after the other.
class BackwardBlock {
 public:
  BackwardBlock(const CpuKernels& kernels, const ConstMatrix& x, const ConstMatrix& grad,
                const Matrix& grad_x, float scale)
      : kernels_(kernels),
        x_(x),
        grad_(grad),
        grad_x_(grad_x),
        scale_(scale),
        in_place_(x.type == DataType::kFloat32 && IsDense(x) && IsDense(grad) && IsDense(grad_x)) {}

  // The part of the sum of the elements [index, index + count).
  double Run(int64_t index, int64_t count) const {
    if (in_place_) {
      return kernels_.fake_quantize_backward(static_cast<const float*>(x_.data) + index,
                                             static_cast<const float*>(grad_.data) + index, count,
                                             scale_, static_cast<float*>(grad_x_.data) + index);
    }
    float x[kBackwardBlock] = {};
    float grad[kBackwardBlock] = {};
    ForEachRun(x_.cols, index, count, [&](int64_t row, int64_t col, int64_t at, int64_t size) {
      kernels_.load(x_.type, At(x_, row, col), size, x + at);
      kernels_.load(x_.type, At(grad_, row, col), size, grad + at);
    });
    const double sum = kernels_.fake_quantize_backward(x, grad, count, scale_, grad);
    ForEachRun(x_.cols, index, count, [&](int64_t row, int64_t col, int64_t at, int64_t size) {
      kernels_.store(x_.type, grad + at, size, At(grad_x_, row, col));
    });
    return sum;
  }

 private:
  const CpuKernels& kernels_;
  const ConstMatrix& x_;
  const ConstMatrix& grad_;
  const Matrix& grad_x_;
  const float scale_;
  const bool in_place_;
};

}  // namespace

absl::Status FakeQuantize(const CpuContext& context, const ConstMatrix& x, float scale,
                          const Matrix& y) {
  constexpr absl::string_view kOperation = "FakeQuantize";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "y", y, "x", x));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(
      CheckBuffers(kOperation, {MatrixBuffer("x", UnlessInPlace(x, y))}, {MatrixBuffer("y", y)}));
  ForEachPiece(context.parallel_for, x.rows, x.cols, IsDense(x) && IsDense(y), kForwardBlock,
               [&](int64_t row, int64_t col, int64_t count) {
                 kernels->fake_quantize(x.type, At(x, row, col), count, scale, At(y, row, col));
               });
  return absl::OkStatus();
}

absl::Status FakeQuantizeBackward(const CpuContext& context, const ConstMatrix& x,
                                  const ConstMatrix& grad, float scale, const Matrix& grad_x,
                                  double* grad_scale) {
  constexpr absl::string_view kOperation = "FakeQuantizeBackward";
  SASQ_ASSIGN_OR_RETURN(const CpuKernels* kernels, FindKernels(context.path));
  SASQ_RETURN_IF_ERROR(CheckShape(kOperation, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "grad", grad, "x", x));
  SASQ_RETURN_IF_ERROR(CheckShapeLike(kOperation, "grad_x", grad_x, "x", x));
  SASQ_RETURN_IF_ERROR(CheckScales(kOperation, "scale", {&scale, 1}));
  SASQ_RETURN_IF_ERROR(CheckBuffers(
      kOperation, {MatrixBuffer("x", x), MatrixBuffer("grad", UnlessInPlace(grad, grad_x))},
      {MatrixBuffer("grad_x", grad_x), DenseBuffer("grad_scale", grad_scale, sizeof(double), 1)}));
  const int64_t count = x.rows * x.cols;
  const int64_t block_count = BlockCount(count, kBackwardBlock);
  const BackwardBlock part(*kernels, x, grad, grad_x, scale);
  std::vector<double> sums(static_cast<size_t>(block_count));
  context.parallel_for(block_count, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBackwardBlock;
      sums[static_cast<size_t>(block)] = part.Run(first, std::min(kBackwardBlock, count - first));
    }
  });
  double sum = 0;
  for (double term : sums) sum += term;
  *grad_scale = sum;
  return absl::OkStatus();
}

}  // namespace sasq::kernels
