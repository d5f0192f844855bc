// Internal: where packed weights keep what. First the panels of codes (cpu_kernels.h), then,
// aligned to kPackedAlignment, the int32 that the sum of each column starts from, which takes back
// the offset of the activations' codes.
#ifndef SASQ_KERNELS_CPU_PACKED_LAYOUT_H_
#define SASQ_KERNELS_CPU_PACKED_LAYOUT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/packed_weights.h"

namespace sasq::kernels {

struct PackedLayout {
  PackedLayout(const CpuKernels& kernels, int64_t out, int64_t in);

  int64_t out_features;
  int64_t in_features;
  int64_t group_codes;
  int64_t panel_columns;
  int64_t groups;  // of one panel
  int64_t panels;
  int64_t panel_bytes;
  int64_t first_sums_offset;  // in bytes; first sums of panels * panel_columns columns
  int64_t bytes;
};

// The path can run here, sizes are those of PackedWeightsBytes, buffers are there and aligned, and
// scales finite and positive.
absl::Status CheckWeights(absl::string_view operation, const PackedWeightsView& weights);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_PACKED_LAYOUT_H_
