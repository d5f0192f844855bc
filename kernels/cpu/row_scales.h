// Internal: scales of rows, one for each, set by several threads.
#ifndef SASQ_KERNELS_CPU_ROW_SCALES_H_
#define SASQ_KERNELS_CPU_ROW_SCALES_H_

#include <atomic>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sasq::kernels {

// Thread-safe for different rows.
class RowScales {
 public:
  RowScales(float* scales, int64_t rows) : scales_(scales), rows_(rows), first_bad_row_(rows) {}

  // Sets the scale of a row from the largest bits of a magnitude in it; false if those are of an
  // infinity or a NaN.
  bool Set(int64_t row, uint32_t magnitude_bits);

  // INVALID_ARGUMENT that names the first row for which Set was false. Ranges of rows that are run
  // in ascending order and end at their first bad row have seen that one.
  absl::Status status(absl::string_view operation, absl::string_view name) const;

 private:
  float* const scales_;
  const int64_t rows_;
  std::atomic<int64_t> first_bad_row_;
};

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_ROW_SCALES_H_
