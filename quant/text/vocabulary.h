// That tokenizer and model belong together.
#ifndef SASQ_QUANT_TEXT_VOCABULARY_H_
#define SASQ_QUANT_TEXT_VOCABULARY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "quant/text/tokenizer.h"

namespace sasq {

// INVALID_ARGUMENT (INVALID_MODEL), telling both sizes, if the tokenizer's vocabulary is larger
// than the model's `vocab_size`. Added tokens may lie beyond it, as they do in published models
// whose padding token has no embedding; CheckTokens refuses a text that uses one.
absl::Status CheckVocabulary(const Tokenizer& tokenizer, int64_t vocab_size);

// INVALID_ARGUMENT (INVALID_MODEL), telling the token, if one of `tokens` is not in
// 0..vocab_size-1.
absl::Status CheckTokens(absl::Span<const int32_t> tokens, int64_t vocab_size);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_VOCABULARY_H_
