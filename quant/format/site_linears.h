// The linears that read the activations of a site.
#ifndef SASQ_QUANT_FORMAT_SITE_LINEARS_H_
#define SASQ_QUANT_FORMAT_SITE_LINEARS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "quant/format/model_config.h"
#include "quant/format/site.h"

namespace sasq {

// A linear: `name`.weight is [out_features, in_features], `name`.bias [out_features].
struct LinearShape {
  std::string name;  // of the module, such as "model.layers.3.mlp.down_proj"
  int64_t out_features = 0;
  int64_t in_features = 0;
  bool has_bias = false;
};

// In the order q, k, v or gate, up.
std::vector<LinearShape> LinearsOf(const ModelConfig& config, const SiteId& site);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_SITE_LINEARS_H_
