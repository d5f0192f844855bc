#include "quant/eval/perplexity.h"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/clock.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/next_token_loss.h"

namespace sasq {

absl::StatusOr<PerplexityResult> EvaluatePerplexity(const Model& model, SiteExecutor& executor,
                                                    absl::Span<const EvaluationWindow> windows,
                                                    const PerplexityOptions& options) {
  if (windows.empty()) return absl::InvalidArgumentError("there are no windows to evaluate");
  const int64_t first_position = options.skip_first_prediction ? 1 : 0;
  const Stopwatch watch;
  NextTokenLoss next_token_loss(model);
  std::vector<WindowLoss> losses;
  for (const EvaluationWindow& window : windows) {
    SASQ_ASSIGN_OR_RETURN(
        const at::Tensor hidden,
        Forward(model, window.tokens, executor, {.past = options.prefix, .stop = options.stop}));
    SASQ_ASSIGN_OR_RETURN(
        const SequenceLoss loss,
        next_token_loss.Compute(hidden, window.tokens,
                                std::max(first_position, window.first_position), options.stop));
    losses.push_back({loss.sum_nats / static_cast<double>(loss.count), loss.count});
    if (options.on_window) options.on_window(static_cast<int64_t>(losses.size()));
  }
  return SummarizeWindows(std::move(losses), watch.Seconds());
}

PerplexityResult SummarizeWindows(std::vector<WindowLoss> windows, double seconds) {
  SASQ_CHECK(!windows.empty());
  PerplexityResult result;
  double sum_of_means = 0;
  for (const WindowLoss& window : windows) {
    sum_of_means += window.mean_nats;
    result.token_count += window.token_count;
  }
  const double perplexity = std::exp(sum_of_means / static_cast<double>(windows.size()));
  result.perplexity = std::isnan(perplexity) ? std::numeric_limits<double>::infinity() : perplexity;
  result.windows = std::move(windows);
  result.seconds = seconds;
  return result;
}

}  // namespace sasq
