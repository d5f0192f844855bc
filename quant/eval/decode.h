// The perplexity of the decode path: a model that goes on token by token over the keys and values
// that it has read.
#ifndef SASQ_QUANT_EVAL_DECODE_H_
#define SASQ_QUANT_EVAL_DECODE_H_

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/eval/perplexity.h"
#include "quant/model/model.h"
#include "quant/model/site_executor.h"

namespace sasq {

// The first half of each window, rounded down, is read by `prefill` as a prompt is; the second half
// is fed by `decode` over the cache that this leaves, each token as it stands in the text. Scored
// are the predictions that `decode` makes, of all tokens of the second half but its first, which
// `prefill` predicts. `decode` must treat each token by itself (dynamic or no scales), as executors
// of one token at a time do: the second half is computed at once. The same windows, prefix and
// statuses as of EvaluatePerplexity; `first_position` and `skip_first_prediction`, which concern
// the first half, change nothing.
absl::StatusOr<PerplexityResult> EvaluateDecoding(const Model& model, SiteExecutor& prefill,
                                                  SiteExecutor& decode,
                                                  absl::Span<const EvaluationWindow> windows,
                                                  const PerplexityOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EVAL_DECODE_H_
