// Rotary position embedding (RoFormer, arXiv 2104.09864) and its stretching for long contexts.
#ifndef SASQ_QUANT_MODEL_ROPE_H_
#define SASQ_QUANT_MODEL_ROPE_H_

#include <vector>

#include "quant/format/model_config.h"

namespace sasq {

// Angles per position of the head_dim / 2 pairs, in radians: theta^(-2i / head_dim), stretched as
// ModelConfig::rope_scaling says.
std::vector<double> RopeFrequencies(const ModelConfig& config);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_ROPE_H_
