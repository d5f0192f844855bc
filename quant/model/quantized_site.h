// INT8 weights of one site as tensors. For the engine alone: whoever includes this includes
// LibTorch.
#ifndef SASQ_QUANT_MODEL_QUANTIZED_SITE_H_
#define SASQ_QUANT_MODEL_QUANTIZED_SITE_H_

#include <ATen/core/Tensor.h>

#include <optional>

#include "quant/model/model_parts.h"
#include "quant/ops/ops.h"

namespace sasq {

struct QuantizedSite {
  at::Tensor weights;  // [sum of out_features, in_features] as ops::PackWeights lays them
  at::Tensor scales;   // float32 [sum of out_features]
  std::optional<at::Tensor> bias;  // float32 [sum of out_features]
};

// Codes and scales of the stacked weights of a site, on the CPU.
ops::Quantized QuantizeSiteWeights(const SiteLinears& linears, int bits);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_QUANTIZED_SITE_H_
