// Resident memory of a worker's process, estimated from a model's shapes for plans. The constants
// are the engine's own limits.
#ifndef SASQ_QUANT_FORMAT_MEMORY_ESTIMATE_H_
#define SASQ_QUANT_FORMAT_MEMORY_ESTIMATE_H_

#include <cstdint>

#include "quant/format/model_config.h"

namespace sasq {

// Most bytes of logits that exist at a time.
inline constexpr int64_t kLogitsChunkBytes = int64_t{128} << 20;
// Room for the graphs (activations) of layers between the forward and the backward pass.
inline constexpr int64_t kLayerGraphBytes = int64_t{256} << 20;

// The weights as they are stored (2 bytes each, mapped and so resident once they were read), the
// INT8 weights, the output layer in float32, one chunk of logits, the activations of one layer, and
// the program with its libraries.
int64_t EvaluationMemoryBytes(const ModelConfig& config, int64_t window_tokens);

// The same for a step of scale training: also the transposed INT8 weights, the hidden states
// between layers, and the graphs of some layers.
int64_t TrainingMemoryBytes(const ModelConfig& config, int64_t window_tokens);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_MEMORY_ESTIMATE_H_
