#include "kernels/arguments.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq::kernels {
namespace {

// From the first byte of the buffer to the last.
int64_t ExtentBytes(const Buffer& buffer) {
  return ((buffer.rows - 1) * buffer.row_stride + buffer.cols) * buffer.element_bytes;
}

bool IsEmpty(const Buffer& buffer) { return buffer.rows == 0 || buffer.cols == 0; }

// Whether a row of `b`, `offset` bytes behind the start of `a`, fits between rows of `a`.
bool FitsBetweenRows(const Buffer& a, const Buffer& b, uintptr_t offset) {
  const int64_t stride = a.row_stride * a.element_bytes;
  if (a.rows < 2 || b.rows < 2 || stride != b.row_stride * b.element_bytes) return false;
  const int64_t column = static_cast<int64_t>(offset % static_cast<uintptr_t>(stride));
  return column >= a.cols * a.element_bytes && column + b.cols * b.element_bytes <= stride;
}

bool Overlap(const Buffer& a, const Buffer& b) {
  if (IsEmpty(a) || IsEmpty(b)) return false;
  const auto a_begin = reinterpret_cast<uintptr_t>(a.data);
  const auto b_begin = reinterpret_cast<uintptr_t>(b.data);
  if (b_begin < a_begin) return Overlap(b, a);
  const uintptr_t offset = b_begin - a_begin;
  return offset < static_cast<uintptr_t>(ExtentBytes(a)) && !FitsBetweenRows(a, b, offset);
}

absl::Status CheckBuffer(absl::string_view operation, const Buffer& buffer) {
  if (IsEmpty(buffer)) return absl::OkStatus();
  if (buffer.data == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat(operation, ": ", buffer.name,
                                                   " is null, want a buffer of ",
                                                   buffer.rows * buffer.cols, " elements"));
  }
  const uintptr_t address = reinterpret_cast<uintptr_t>(buffer.data);
  if (address % static_cast<uintptr_t>(buffer.element_bytes) == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", buffer.name, " is at 0x", absl::Hex(address),
                   ", want an address aligned to ", buffer.element_bytes, " bytes"));
}

}  // namespace

Buffer MatrixBuffer(absl::string_view name, const ConstMatrix& matrix) {
  return {name,        matrix.data, DataTypeBytes(matrix.type),
          matrix.rows, matrix.cols, matrix.row_stride};
}

bool SameMatrix(const ConstMatrix& matrix, const ConstMatrix& other) {
  return matrix.data == other.data && matrix.type == other.type && matrix.rows == other.rows &&
         matrix.cols == other.cols && matrix.row_stride == other.row_stride;
}

absl::Status InvalidSize(absl::string_view operation, absl::string_view name, int64_t value,
                         absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", name, " is ", value, ", want ", want));
}

absl::Status CheckShape(absl::string_view operation, absl::string_view name,
                        const ConstMatrix& matrix) {
  constexpr int64_t kMostElements = int64_t{1} << 59;
  if (matrix.rows < 0 || matrix.cols < 0 || matrix.rows > kMostElements ||
      matrix.cols > kMostElements ||
      (matrix.cols > 0 && matrix.rows > kMostElements / matrix.cols)) {
    return absl::InvalidArgumentError(absl::StrCat(operation, ": the shape of ", name, " is [",
                                                   matrix.rows, ", ", matrix.cols,
                                                   "], want sizes from 0 to 2^59 elements in all"));
  }
  if (matrix.row_stride < matrix.cols ||
      (matrix.rows > 0 && matrix.row_stride > kMostElements / matrix.rows)) {
    return InvalidSize(operation, absl::StrCat("the row_stride of ", name), matrix.row_stride,
                       absl::StrCat("from cols, ", matrix.cols, ", to 2^59 elements in all"));
  }
  switch (matrix.type) {
    case DataType::kFloat32:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return absl::OkStatus();
  }
  return InvalidSize(operation, absl::StrCat("the type of ", name), static_cast<int>(matrix.type),
                     "one of DataType's");
}

absl::Status CheckShapeLike(absl::string_view operation, absl::string_view name,
                            const ConstMatrix& matrix, absl::string_view like_name,
                            const ConstMatrix& like, bool same_type) {
  SASQ_RETURN_IF_ERROR(CheckShape(operation, name, matrix));
  if (matrix.rows != like.rows || matrix.cols != like.cols) {
    return absl::InvalidArgumentError(
        absl::StrCat(operation, ": the shape of ", name, " is [", matrix.rows, ", ", matrix.cols,
                     "], want that of ", like_name, ", [", like.rows, ", ", like.cols, "]"));
  }
  if (!same_type || matrix.type == like.type) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", name, " is of another type than ", like_name));
}

absl::Status CheckBuffers(absl::string_view operation, absl::Span<const Buffer> inputs,
                          absl::Span<const Buffer> outputs) {
  for (const Buffer& input : inputs) SASQ_RETURN_IF_ERROR(CheckBuffer(operation, input));
  for (const Buffer& output : outputs) SASQ_RETURN_IF_ERROR(CheckBuffer(operation, output));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto check = [&](const Buffer& other) {
      if (!Overlap(outputs[i], other)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(operation, ": ", outputs[i].name, " overlaps ",
                                                     other.name, ", want separate buffers"));
    };
    for (const Buffer& input : inputs) SASQ_RETURN_IF_ERROR(check(input));
    for (size_t j = 0; j < i; ++j) SASQ_RETURN_IF_ERROR(check(outputs[j]));
  }
  return absl::OkStatus();
}

absl::Status CheckScales(absl::string_view operation, absl::string_view name,
                         absl::Span<const float> scales) {
  bool all_right = true;
  for (float scale : scales) {
    all_right &= (scale > 0) & (scale <= std::numeric_limits<float>::max());
  }
  if (all_right) return absl::OkStatus();
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i]) && scales[i] > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(operation, ": ", name, "[", i, "] is ",
                                                   scales[i], ", want finite and positive"));
  }
  return absl::OkStatus();
}

}  // namespace sasq::kernels
