// Perplexity: exp of the mean next-token loss over windows of text.
#ifndef SASQ_QUANT_EVAL_PERPLEXITY_H_
#define SASQ_QUANT_EVAL_PERPLEXITY_H_

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

// Some text, and which of its predictions are scored: those from `first_position` on. 0 for windows
// that do not overlap; in strided windows what the window before has scored is left out.
struct EvaluationWindow {
  absl::Span<const int32_t> tokens;
  int64_t first_position = 0;
};

struct PerplexityOptions {
  // Leave out what is predicted from the first token of a window: the fair comparison where that
  // token is not quantized.
  bool skip_first_prediction = false;
  // Keys and values that every window follows; null without.
  const KvCache* prefix = nullptr;
  std::stop_token stop;
  // Called after each window with the number of windows done. May be null.
  std::function<void(int64_t windows_done)> on_window;
};

// One window's mean loss, kept for paired comparisons.
struct WindowLoss {
  double mean_nats = 0;
  int64_t token_count = 0;  // scored predictions
};

struct PerplexityResult {
  double perplexity = 0;            // exp of the mean of the windows' mean losses; may be infinite
  std::vector<WindowLoss> windows;  // in the order given
  int64_t token_count = 0;          // scored predictions of all windows
  double seconds = 0;               // wall time
};

// The result of windows, of which there is at least one, measured in `seconds`.
PerplexityResult SummarizeWindows(std::vector<WindowLoss> windows, double seconds);

// Measures `model` as `executor` computes it. INVALID_ARGUMENT if there is no window or one is too
// short to score; CANCELLED when the stop token asks for it. A loss that is not a number gives a
// perplexity of infinity: the model collapsed.
absl::StatusOr<PerplexityResult> EvaluatePerplexity(const Model& model, SiteExecutor& executor,
                                                    absl::Span<const EvaluationWindow> windows,
                                                    const PerplexityOptions& options);

}  // namespace sasq

#endif  // SASQ_QUANT_EVAL_PERPLEXITY_H_
