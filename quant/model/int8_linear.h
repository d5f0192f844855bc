// INT8 products of a site's linears, through the operators.
#ifndef SASQ_QUANT_MODEL_INT8_LINEAR_H_
#define SASQ_QUANT_MODEL_INT8_LINEAR_H_

#include <ATen/core/Tensor.h>

#include "quant/model/quantized_site.h"

namespace sasq {

// y[tokens, out_features] of x[tokens, in_features], float32, on the site's device, outside of
// autograd. Throws what the operators throw.
//
// With `first_token_float` row 0 is not quantized: it is written as the sum of three INT8 rows,
// each with the rounding error of the one before at its own scale (absmax / 127, then at most 1/254
// of it, then again), so that what is lost is below 2^-23 of the row's absmax, and goes through the
// same exact integer product.

// One static scale, finite and positive.
at::Tensor StaticInt8Linear(const QuantizedSite& site, const at::Tensor& x, float scale,
                            bool first_token_float);

// One scale per token, absmax / 127. On the CPU c10::ValueError if x holds a NaN or an infinity; on
// CUDA such a row gives NaNs.
at::Tensor DynamicInt8Linear(const QuantizedSite& site, const at::Tensor& x,
                             bool first_token_float);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_INT8_LINEAR_H_
