// The forward pass over one sequence.
#ifndef SASQ_QUANT_MODEL_FORWARD_H_
#define SASQ_QUANT_MODEL_FORWARD_H_

#include <cstdint>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

struct ForwardOptions {
  // Keys and values of the tokens before `tokens`: a prefix, or what was read so far. Null: the
  // sequence begins here.
  const KvCache* past = nullptr;
  // If not null, receives the keys and values of `past` and `tokens` together. May be the same
  // object as `past`.
  KvCache* kept = nullptr;
  std::stop_token stop = {};
};

// Hidden states after the final norm, float32 [tokens, hidden_size]. INVALID_ARGUMENT if there are
// no tokens, more than Model::max_tokens() with the past, or one outside the vocabulary; CANCELLED,
// within one site's work, when `stop` is asked for.
absl::StatusOr<at::Tensor> Forward(const Model& model, absl::Span<const int32_t> tokens,
                                   SiteExecutor& executor, const ForwardOptions& options = {});

// Several sequences of equal length, one after the other in `tokens`: hidden states
// [sequence_count * tokens of one, hidden_size]. `past` and `kept` hold as many sequences.
absl::StatusOr<at::Tensor> ForwardBatch(const Model& model, absl::Span<const int32_t> tokens,
                                        int64_t sequence_count, SiteExecutor& executor,
                                        const ForwardOptions& options = {});

// How often the first token stands at the beginning of a sequence: a token that sees nothing but
// copies of itself has the same activations, massive ones included, in every layer.
int64_t LeadingCopies(absl::Span<const int32_t> tokens);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_FORWARD_H_
