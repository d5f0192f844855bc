// Floating-point or INT8 operations of a model, counted from its shapes: a multiply-add is two.
#ifndef SASQ_QUANT_FORMAT_FLOP_COUNT_H_
#define SASQ_QUANT_FORMAT_FLOP_COUNT_H_

#include <cstdint>

#include "quant/format/model_config.h"

namespace sasq {

// One forward pass over a sequence of T tokens with the logits of every token:
//   linears    2 * T * LinearParameterCount
//   attention  2 * T^2 * head_count * head_dim for each layer (Q K^T and P V, the causal half of
//   each) lm_head    2 * T * vocab_size * hidden_size
// Norms, rotations and activations are left out (under one percent).
inline double ForwardFlopCount(const ModelConfig& config, int64_t token_count) {
  const double tokens = static_cast<double>(token_count);
  const double attention = 2 * tokens * tokens * static_cast<double>(config.head_count) *
                           static_cast<double>(config.head_dim) *
                           static_cast<double>(config.layer_count);
  return 2 * tokens * static_cast<double>(config.LinearParameterCount()) + attention +
         2 * tokens * static_cast<double>(config.vocab_size) *
             static_cast<double>(config.hidden_size);
}

// One step of scale training: the forward pass, and the backward pass to the activations. Linears
// and lm_head cost as much again (no gradient of a weight is computed), attention twice as much.
inline double TrainingStepFlopCount(const ModelConfig& config, int64_t token_count) {
  const double tokens = static_cast<double>(token_count);
  const double attention = 2 * tokens * tokens * static_cast<double>(config.head_count) *
                           static_cast<double>(config.head_dim) *
                           static_cast<double>(config.layer_count);
  return 2 * ForwardFlopCount(config, token_count) + attention;
}

// One step of training the linears' weights: a step of scale training, and the gradient of every
// weight, which costs as much as the linears' forward pass. The output layer and the embeddings are
// frozen.
inline double WeightTrainingStepFlopCount(const ModelConfig& config, int64_t token_count) {
  return TrainingStepFlopCount(config, token_count) +
         2 * static_cast<double>(token_count) * static_cast<double>(config.LinearParameterCount());
}

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_FLOP_COUNT_H_
