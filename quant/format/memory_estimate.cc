#include "quant/format/memory_estimate.h"

#include <algorithm>

namespace sasq {
namespace {

constexpr int64_t kProgramBytes = int64_t{200} << 20;
constexpr int64_t kStoredWeightBytes = 2;
constexpr int64_t kFloatBytes = 4;

// What one layer's operations hold for a token at a time, in float32: hidden states and their
// norms, q, k, v and the heads they are repeated to, gate, up and their product.
int64_t LayerBytesPerToken(const ModelConfig& config) {
  const int64_t heads = config.head_count * config.head_dim;
  return kFloatBytes * (4 * config.hidden_size + 6 * heads + 4 * config.intermediate_size);
}

}  // namespace

int64_t EvaluationMemoryBytes(const ModelConfig& config, int64_t window_tokens) {
  const int64_t logits = kFloatBytes * window_tokens * config.vocab_size;
  return kProgramBytes + kStoredWeightBytes * config.ParameterCount() +
         config.LinearParameterCount() + kFloatBytes * config.vocab_size * config.hidden_size +
         std::min(kLogitsChunkBytes, logits) + window_tokens * LayerBytesPerToken(config);
}

int64_t TrainingMemoryBytes(const ModelConfig& config, int64_t window_tokens) {
  const int64_t hidden_states =
      kFloatBytes * window_tokens * config.layer_count * config.hidden_size;
  const int64_t graphs = window_tokens * config.layer_count * 2 * LayerBytesPerToken(config);
  return EvaluationMemoryBytes(config, window_tokens) + config.LinearParameterCount() +
         hidden_states + std::min(kLayerGraphBytes, graphs);
}

}  // namespace sasq
