// Stored weights as float32, on the calling thread.
#ifndef SASQ_QUANT_FORMAT_WEIGHT_VALUES_H_
#define SASQ_QUANT_FORMAT_WEIGHT_VALUES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "quant/format/dtype.h"
#include "quant/format/safetensors.h"

namespace sasq {

// Whether weights of `dtype` can be read: F32, F16 or BF16.
bool IsWeightDtype(Dtype dtype);

// Converts `count` elements from element `first` on to float32, exactly. The dtype must be one that
// IsWeightDtype accepts and the range must lie inside the tensor.
void ReadAsFloat(const TensorView& view, int64_t first, int64_t count, float* out);

// INVALID_ARGUMENT (INVALID_MODEL) that names the tensor if its dtype is not a weight's or its
// shape is not `shape`.
absl::Status CheckWeightForm(const TensorView& view, absl::Span<const int64_t> shape);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_WEIGHT_VALUES_H_
