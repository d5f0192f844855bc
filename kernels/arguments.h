// Internal: checks of arguments that the operations share. INVALID_ARGUMENT names the argument.
#ifndef SASQ_KERNELS_ARGUMENTS_H_
#define SASQ_KERNELS_ARGUMENTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kernels/cpu_kernels.h"
#include "kernels/cpu_path.h"

namespace sasq::kernels {

// The kernels of `path`, if this CPU can run them.
absl::StatusOr<const CpuKernels*> FindKernels(CpuPath path);

// A buffer of `count` elements.
struct Buffer {
  absl::string_view name;
  const void* data;
  int64_t count;
  int64_t element_bytes;
};

// INVALID_ARGUMENT "<operation>: <name> is <value>, want <want>".
absl::Status InvalidSize(absl::string_view operation, absl::string_view name, int64_t value,
                         absl::string_view want);

// The number of elements of a matrix, if neither side is negative and its bytes can be counted.
absl::StatusOr<int64_t> CheckedCount(absl::string_view operation, int64_t rows, int64_t cols);

// No buffer with elements is null, and no output shares a byte with another buffer.
absl::Status CheckBuffers(absl::string_view operation, absl::Span<const Buffer> inputs,
                          absl::Span<const Buffer> outputs);

// Every scale is finite and positive.
absl::Status CheckScales(absl::string_view operation, absl::string_view name,
                         absl::Span<const float> scales);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_ARGUMENTS_H_
