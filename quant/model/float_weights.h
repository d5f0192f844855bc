// Stored weights as float32.
#ifndef SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_
#define SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "quant/format/safetensors.h"

namespace sasq {

// Whether weights of `dtype` can be read: F32, F16 or BF16.
bool IsWeightDtype(Dtype dtype);

// Converts `count` elements from element `first` on to float32, exactly. The dtype must be one that
// IsWeightDtype accepts and the range must lie inside the tensor.
void CopyAsFloat(const TensorView& view, int64_t first, int64_t count, float* out);

// INVALID_ARGUMENT (INVALID_MODEL) that names the tensor if its dtype is not a weight's, its shape
// is not `shape`, or an element is a NaN or infinite (the first one is named).
absl::Status CheckWeights(const TensorView& view, absl::Span<const int64_t> shape);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_
