// Stored weights as float32, on all of LibTorch's threads.
#ifndef SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_
#define SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "quant/format/safetensors.h"
#include "quant/format/weight_values.h"

namespace sasq {

// ReadAsFloat of quant/format/weight_values.h.
void CopyAsFloat(const TensorView& view, int64_t first, int64_t count, float* out);

// INVALID_ARGUMENT (INVALID_MODEL) that names the tensor if its dtype is not a weight's, its shape
// is not `shape`, or an element is a NaN or infinite (the first one is named).
absl::Status CheckWeights(const TensorView& view, absl::Span<const int64_t> shape);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_FLOAT_WEIGHTS_H_
