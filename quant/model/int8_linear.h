// INT8 products of a site's linears, through the kernels.
#ifndef SASQ_QUANT_MODEL_INT8_LINEAR_H_
#define SASQ_QUANT_MODEL_INT8_LINEAR_H_

#include <ATen/core/Tensor.h>

#include "absl/status/statusor.h"
#include "kernels/cpu_path.h"
#include "quant/model/quantized_weights.h"

namespace sasq {

// y[tokens, out_features] of x[tokens, in_features], float32, on the CPU, outside of autograd.
//
// With `first_token_float` row 0 is not quantized: it is written as the sum of three INT8 rows,
// each with the rounding error of the one before at its own scale (absmax / 127, then at most 1/254
// of it, then again), so that what is lost is below 2^-23 of the row's absmax, and goes through the
// same exact integer product.

// One static scale, finite and positive.
absl::StatusOr<at::Tensor> StaticInt8Linear(kernels::CpuPath path,
                                            const QuantizedWeights::Site& site, const at::Tensor& x,
                                            float scale, bool first_token_float);

// One scale per token, absmax / 127. INVALID_ARGUMENT if x holds a NaN or an infinity.
absl::StatusOr<at::Tensor> DynamicInt8Linear(kernels::CpuPath path,
                                             const QuantizedWeights::Site& site,
                                             const at::Tensor& x, bool first_token_float);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_INT8_LINEAR_H_
