#include "quant/eval/decode.h"

#include <ATen/core/Tensor.h>

#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/next_token_loss.h"

namespace sasq {

absl::StatusOr<PerplexityResult> EvaluateDecoding(const Model& model, SiteExecutor& prefill,
                                                  SiteExecutor& decode,
                                                  absl::Span<const EvaluationWindow> windows,
                                                  const PerplexityOptions& options) {
  if (windows.empty()) return absl::InvalidArgumentError("there are no windows to evaluate");
  const Stopwatch watch;
  NextTokenLoss next_token_loss(model);
  std::vector<WindowLoss> losses;
  for (const EvaluationWindow& window : windows) {
    const absl::Span<const int32_t> prompt = window.tokens.first(window.tokens.size() / 2);
    const absl::Span<const int32_t> rest = window.tokens.subspan(prompt.size());
    KvCache cache;
    SASQ_RETURN_IF_ERROR(Forward(model, prompt, prefill,
                                 {.past = options.prefix, .kept = &cache, .stop = options.stop})
                             .status());
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden,
                          Forward(model, rest, decode, {.past = &cache, .stop = options.stop}));
    SASQ_ASSIGN_OR_RETURN(
        const SequenceLoss loss,
        next_token_loss.Compute(hidden, rest, /*first_position=*/0, options.stop));
    losses.push_back({loss.sum_nats / static_cast<double>(loss.count), loss.count});
    if (options.on_window) options.on_window(static_cast<int64_t>(losses.size()));
  }
  return SummarizeWindows(std::move(losses), watch.Seconds());
}

}  // namespace sasq
