#include "kernels/arguments.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq::kernels {
namespace {

bool Overlap(const Buffer& a, const Buffer& b) {
  const auto a_begin = reinterpret_cast<uintptr_t>(a.data);
  const auto b_begin = reinterpret_cast<uintptr_t>(b.data);
  return a.count > 0 && b.count > 0 && a_begin < b_begin + b.count * b.element_bytes &&
         b_begin < a_begin + a.count * a.element_bytes;
}

absl::Status CheckNotNull(absl::string_view operation, const Buffer& buffer) {
  if (buffer.data != nullptr || buffer.count == 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      operation, ": ", buffer.name, " is null, want a buffer of ", buffer.count, " elements"));
}

}  // namespace

absl::Status InvalidSize(absl::string_view operation, absl::string_view name, int64_t value,
                         absl::string_view want) {
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": ", name, " is ", value, ", want ", want));
}

absl::StatusOr<int64_t> CheckedCount(absl::string_view operation, int64_t rows, int64_t cols) {
  constexpr int64_t kMostElements = std::numeric_limits<int64_t>::max() / 8;
  if (rows < 0 || cols < 0 || (cols > 0 && rows > kMostElements / cols)) {
    return absl::InvalidArgumentError(absl::StrCat(operation, ": the shape is [", rows, ", ", cols,
                                                   "], want sizes from 0 to 2^60 elements in all"));
  }
  return rows * cols;
}

absl::Status CheckBuffers(absl::string_view operation, absl::Span<const Buffer> inputs,
                          absl::Span<const Buffer> outputs) {
  for (const Buffer& input : inputs) SASQ_RETURN_IF_ERROR(CheckNotNull(operation, input));
  for (const Buffer& output : outputs) SASQ_RETURN_IF_ERROR(CheckNotNull(operation, output));
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
  for (size_t i = 0; i < scales.size(); ++i) {
    if (std::isfinite(scales[i]) && scales[i] > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(operation, ": ", name, "[", i, "] is ",
                                                   scales[i], ", want finite and positive"));
  }
  return absl::OkStatus();
}

}  // namespace sasq::kernels
