#include "kernels/cpu/row_scales.h"

#include "absl/strings/str_cat.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/numerics.h"

namespace sasq::kernels {

bool RowScales::Set(int64_t row, uint32_t magnitude_bits) {
  if (magnitude_bits < kInfinityBits) {
    scales_[row] = RowScale(FloatOfBits(magnitude_bits));
    return true;
  }
  int64_t seen = first_bad_row_.load();
  while (row < seen && !first_bad_row_.compare_exchange_weak(seen, row)) {
  }
  return false;
}

absl::Status RowScales::status(absl::string_view operation, absl::string_view name) const {
  const int64_t bad_row = first_bad_row_.load();
  if (bad_row == rows_) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, ": row ", bad_row, " of ", rows_, " of ", name,
                   " holds a NaN or an infinity, want finite values"));
}

}  // namespace sasq::kernels
