// Internal: checks of arguments that the operations share, on any device. INVALID_ARGUMENT
// "<operation>: <name> is <value>, want <want>".
#ifndef SASQ_KERNELS_ARGUMENTS_H_
#define SASQ_KERNELS_ARGUMENTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

// A buffer of `rows` runs of `cols` elements, `row_stride` elements apart. Aligned to the element.
struct Buffer {
  absl::string_view name;
  const void* data;
  int64_t element_bytes;
  int64_t rows;
  int64_t cols;
  int64_t row_stride;
};

// `count` elements one after the other.
inline Buffer DenseBuffer(absl::string_view name, const void* data, int64_t element_bytes,
                          int64_t count) {
  return {name, data, element_bytes, 1, count, count};
}
Buffer MatrixBuffer(absl::string_view name, const ConstMatrix& matrix);

// `matrix` and `other` as one and the same: an operation in place.
bool SameMatrix(const ConstMatrix& matrix, const ConstMatrix& other);

absl::Status InvalidSize(absl::string_view operation, absl::string_view name, int64_t value,
                         absl::string_view want);

// Neither side is negative, rows are at least a row apart, the bytes can be counted, and the type
// is one of DataType's.
absl::Status CheckShape(absl::string_view operation, absl::string_view name,
                        const ConstMatrix& matrix);

// As CheckShape, and the shape is that of `like`, and so is the type if `same_type`.
absl::Status CheckShapeLike(absl::string_view operation, absl::string_view name,
                            const ConstMatrix& matrix, absl::string_view like_name,
                            const ConstMatrix& like, bool same_type = true);

// No buffer with elements is null or misaligned, and no output shares a byte with another buffer.
// Rows of equal stride may lie between each other, as the two halves of one matrix do.
absl::Status CheckBuffers(absl::string_view operation, absl::Span<const Buffer> inputs,
                          absl::Span<const Buffer> outputs);

// Every scale is finite and positive.
absl::Status CheckScales(absl::string_view operation, absl::string_view name,
                         absl::Span<const float> scales);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_ARGUMENTS_H_
