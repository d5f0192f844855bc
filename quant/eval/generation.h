// Greedy answers, and how far they follow those of the float model.
#ifndef SASQ_QUANT_EVAL_GENERATION_H_
#define SASQ_QUANT_EVAL_GENERATION_H_

#include <cstdint>
#include <functional>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

struct GenerationOptions {
  // Tokens that an answer has at most; fewer where the model's context ends. Above 0.
  int64_t max_tokens = 32;
  // Each of them ends an answer and is its last token: ModelConfig::eos_token_ids.
  std::vector<int64_t> eos_token_ids = {};
  // Keys and values that every prompt follows; null without.
  const KvCache* prefix = nullptr;
  std::stop_token stop = {};
  // Called after each prompt with the number of prompts done. May be null.
  std::function<void(int64_t prompts_done)> on_prompt = nullptr;
};

// The answers of `model` to `prompts` (tokens), always with the likeliest token, the lowest of
// equals. `prefill` reads a prompt at once; `decode` goes on token by token over its keys and
// values. Holds the output layer's weights in float32. INVALID_ARGUMENT for a prompt without tokens
// or as long as the context, naming its number; CANCELLED when the stop token asks for it.
absl::StatusOr<std::vector<std::vector<int32_t>>> GenerateGreedy(
    const Model& model, SiteExecutor& prefill, SiteExecutor& decode,
    absl::Span<const std::vector<int32_t>> prompts, const GenerationOptions& options);

// Answers beside the float model's to the same prompts.
struct AnswerComparison {
  int64_t prompt_count = 0;
  double tokens_until_divergence = 0;  // tokens before the first difference, mean over prompts
  // Positions with the same token, of those that the longer answer has, over all prompts. 0..1.
  double agreement = 0;
  // 4-grams that stood in the same answer before, of all 4-grams of `answers`. 0..1.
  double repetition = 0;
};

// `answers` has as many elements as `float_answers`.
AnswerComparison CompareAnswers(absl::Span<const std::vector<int32_t>> float_answers,
                                absl::Span<const std::vector<int32_t>> answers);

}  // namespace sasq

#endif  // SASQ_QUANT_EVAL_GENERATION_H_
