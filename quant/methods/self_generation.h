// Training text that a model writes itself (LLM-QAT, arXiv 2305.17888, section 2.1): no data of its
// training is needed, and the text has the distribution that the model has learned.
#ifndef SASQ_QUANT_METHODS_SELF_GENERATION_H_
#define SASQ_QUANT_METHODS_SELF_GENERATION_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/model/model.h"

namespace sasq {

struct SelfGenerationOptions {
  int64_t sequence_count = 1;
  int64_t token_count = 256;  // of each sequence, 1..Model::max_tokens()
  uint64_t seed = 0;
  std::stop_token stop;
};

// The paper's hybrid: the first token is drawn evenly from the vocabulary, the next 3, 4 or 5
// (drawn evenly for each sequence) are the most likely ones, all others are drawn from the model's
// softmax at temperature 1. A sequence goes on after an end-of-text token. The same options give
// the same text. At most 32 sequences are written at a time, and only as many as have 512 MiB of
// keys and values in float32. CANCELLED when asked to stop; DIVERGED (FAILED_PRECONDITION) if a
// logit is not finite.
absl::StatusOr<std::vector<std::vector<int32_t>>> GenerateTrainingText(
    const std::shared_ptr<const Model>& model, const SelfGenerationOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_SELF_GENERATION_H_
