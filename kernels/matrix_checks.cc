#include "kernels/matrix_checks.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq::kernels {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 60;

absl::string_view TypeName(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return "float32";
    case DataType::kFloat16:
      return "float16";
    case DataType::kBFloat16:
      return "bfloat16";
  }
  return "";
}

absl::Status Invalid(absl::string_view operation, absl::string_view name, absl::string_view is,
                     absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", name, " is ", is, ", want ", want));
}

bool Overlap(const Extent& a, const Extent& b) {
  const auto a_begin = reinterpret_cast<uintptr_t>(a.data);
  const auto b_begin = reinterpret_cast<uintptr_t>(b.data);
  return a.bytes > 0 && b.bytes > 0 && a_begin < b_begin + static_cast<uintptr_t>(b.bytes) &&
         b_begin < a_begin + static_cast<uintptr_t>(a.bytes);
}

}  // namespace

Extent BufferExtent(absl::string_view name, const void* data, int64_t count,
                    int64_t element_bytes) {
  return {name, data, count * element_bytes};
}

Extent MatrixExtent(absl::string_view name, const ConstMatrix& matrix) {
  if (matrix.rows == 0 || matrix.cols == 0) return {name, matrix.data, 0};
  const int64_t elements = (matrix.rows - 1) * matrix.row_stride + matrix.cols;
  return {name, matrix.data, elements * DataTypeBytes(matrix.type)};
}

absl::Status CheckMatrix(absl::string_view operation, absl::string_view name,
                         const ConstMatrix& matrix) {
  const std::string shape = absl::StrCat("[", matrix.rows, ", ", matrix.cols, "]");
  if (TypeName(matrix.type).empty()) {
    return Invalid(operation, name, absl::StrCat("of type ", static_cast<int>(matrix.type)),
                   "float32, float16 or bfloat16");
  }
  if (matrix.rows < 0 || matrix.cols < 0) {
    return Invalid(operation, name, shape, "sizes that are not negative");
  }
  if (matrix.row_stride < matrix.cols) {
    return Invalid(operation, absl::StrCat(name, ".row_stride"), absl::StrCat(matrix.row_stride),
                   absl::StrCat("at least its ", matrix.cols, " columns"));
  }
  if (matrix.row_stride > 0 && matrix.rows > kMostElements / matrix.row_stride) {
    return Invalid(operation, name, shape, "fewer than 2^60 elements");
  }
  return CheckBuffer(operation, MatrixExtent(name, matrix), DataTypeBytes(matrix.type));
}

absl::Status CheckBuffer(absl::string_view operation, const Extent& buffer, int64_t alignment) {
  if (buffer.bytes == 0) return absl::OkStatus();
  if (buffer.data == nullptr) {
    return Invalid(operation, buffer.name, "null", absl::StrCat(buffer.bytes, " bytes"));
  }
  const uint64_t beyond =
      reinterpret_cast<uintptr_t>(buffer.data) % static_cast<uint64_t>(alignment);
  if (beyond == 0) return absl::OkStatus();
  return Invalid(operation, buffer.name, absl::StrCat(beyond, " bytes beyond alignment"),
                 absl::StrCat("a multiple of ", alignment, " bytes"));
}

absl::Status CheckSeparate(absl::string_view operation, absl::Span<const Extent> outputs,
                           absl::Span<const Extent> inputs) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    const auto check = [&](const Extent& other) {
      if (!Overlap(outputs[i], other)) return absl::OkStatus();
      return absl::InvalidArgumentError(absl::StrCat(operation, ": ", outputs[i].name, " overlaps ",
                                                     other.name, ", want separate buffers"));
    };
    for (const Extent& input : inputs) SASQ_RETURN_IF_ERROR(check(input));
    for (size_t j = 0; j < i; ++j) SASQ_RETURN_IF_ERROR(check(outputs[j]));
  }
  return absl::OkStatus();
}

absl::Status CheckSameShape(absl::string_view operation, absl::string_view a_name,
                            const ConstMatrix& a, absl::string_view b_name, const ConstMatrix& b) {
  if (a.rows == b.rows && a.cols == b.cols && a.type == b.type) return absl::OkStatus();
  return Invalid(operation, b_name, absl::StrCat(TypeName(b.type), " [", b.rows, ", ", b.cols, "]"),
                 absl::StrCat(TypeName(a.type), " [", a.rows, ", ", a.cols, "] as ", a_name));
}

absl::Status CheckScale(absl::string_view operation, float scale) {
  if (std::isfinite(scale) && scale > 0) return absl::OkStatus();
  return Invalid(operation, "scale", absl::StrCat(scale), "finite and positive");
}

}  // namespace sasq::kernels
