// Internal: checks of matrices and buffers on any device, whose memory is never looked at.
// INVALID_ARGUMENT names the operation, the argument and what was wanted.
#ifndef SASQ_KERNELS_MATRIX_CHECKS_H_
#define SASQ_KERNELS_MATRIX_CHECKS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "kernels/matrix.h"

namespace sasq::kernels {

// The bytes that an argument takes: from its first element to behind its last one.
struct Extent {
  absl::string_view name;
  const void* data = nullptr;
  int64_t bytes = 0;  // 0: nothing is accessed
};

// Of a dense buffer, and of a matrix that passed CheckMatrix.
Extent BufferExtent(absl::string_view name, const void* data, int64_t count, int64_t element_bytes);
Extent MatrixExtent(absl::string_view name, const ConstMatrix& matrix);

// A known type, sizes that are not negative, row_stride >= cols, fewer than 2^60 elements; with
// elements also data that is not null and is aligned to the element.
absl::Status CheckMatrix(absl::string_view operation, absl::string_view name,
                         const ConstMatrix& matrix);

// With bytes, data that is not null and is aligned to `alignment` bytes.
absl::Status CheckBuffer(absl::string_view operation, const Extent& buffer, int64_t alignment);

// No output shares a byte with an input or another output.
absl::Status CheckSeparate(absl::string_view operation, absl::Span<const Extent> outputs,
                           absl::Span<const Extent> inputs);

// `b` has the shape and the type of `a`.
absl::Status CheckSameShape(absl::string_view operation, absl::string_view a_name,
                            const ConstMatrix& a, absl::string_view b_name, const ConstMatrix& b);

// Finite and positive.
absl::Status CheckScale(absl::string_view operation, float scale);

// Whether two matrices of one shape and type lie in the same place, element by element.
inline bool SamePlace(const ConstMatrix& a, const ConstMatrix& b) {
  return a.data == b.data && (a.row_stride == b.row_stride || a.rows <= 1);
}

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_MATRIX_CHECKS_H_
