// Products of a site's linears, through the operators. For the engine alone: whoever includes this
// includes LibTorch.
#ifndef SASQ_QUANT_MODEL_INT8_LINEAR_H_
#define SASQ_QUANT_MODEL_INT8_LINEAR_H_

#include <ATen/core/Tensor.h>

#include "quant/format/site.h"
#include "quant/model/model.h"
#include "quant/model/quantized_site.h"

namespace sasq {

// y[rows, out_features] of x[rows, in_features], float32, on the site's device, outside of
// autograd. Throws what the operators throw. Codes of fewer than 8 `bits` are held in 8.
//
// The first `float_rows` rows are not quantized: each is written as the sum of three INT8 rows,
// each with the rounding error of the one before at its own scale (absmax / 127, then at most 1/254
// of it, then again), so that what is lost is below 2^-23 of the row's absmax, and goes through the
// same exact integer product.

// Symmetric codes of `bits` bits, one scale per row: absmax over the largest code, 1 for zeros.
ops::Quantized QuantizeRows(const at::Tensor& x, int bits);

// One static scale, finite and positive.
at::Tensor StaticInt8Linear(const QuantizedSite& site, const at::Tensor& x, float scale, int bits,
                            int64_t float_rows);

// One scale per token, absmax over the largest code. On the CPU c10::ValueError if x holds a NaN or
// an infinity; on CUDA such a row gives NaNs.
at::Tensor DynamicInt8Linear(const QuantizedSite& site, const at::Tensor& x, int bits,
                             int64_t float_rows);

// x where a static scale would not clip it, the bound elsewhere; without rounding.
at::Tensor Clip(const at::Tensor& x, float scale, int bits, int64_t float_rows);

// The float linears of a model. One thread.
class FloatLinears {
 public:
  // `model` must outlive it.
  explicit FloatLinears(const Model& model) : model_(model) {}

  // Stacked weights of a site, float32 [out_features, in_features] on the model's device; valid
  // until the next call.
  at::Tensor Weights(SiteId site);
  at::Tensor Run(SiteId site, const at::Tensor& x);

 private:
  const Model& model_;
  at::Tensor room_;  // for the site that is being computed, on the CPU
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_INT8_LINEAR_H_
