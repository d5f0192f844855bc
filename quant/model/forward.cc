#include "quant/model/forward.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "common/status_macros.h"
#include "quant/model/decoder.h"
#include "quant/model/kv_cache.h"
#include "quant/model/torch_guard.h"

namespace sasq {

absl::StatusOr<at::Tensor> ForwardBatch(const Model& model, absl::Span<const int32_t> tokens,
                                        int64_t sequence_count, SiteExecutor& executor,
                                        const ForwardOptions& options) {
  SASQ_CHECK(sequence_count > 0 && static_cast<int64_t>(tokens.size()) % sequence_count == 0);
  return CatchTorchOr([&]() -> absl::StatusOr<at::Tensor> {
    const at::NoGradGuard no_grad;
    const int64_t token_count = static_cast<int64_t>(tokens.size()) / sequence_count;
    const bool goes_on = options.past != nullptr && options.past->token_count > 0;
    const int64_t past_count = goes_on ? options.past->token_count : 0;
    // Copies of the first token are one run of rows only where there is one sequence.
    const int64_t leading_rows = goes_on || sequence_count > 1 ? 0 : LeadingCopies(tokens);
    const Decoder decoder(model, {token_count, past_count, sequence_count}, leading_rows);
    SASQ_ASSIGN_OR_RETURN(at::Tensor hidden, decoder.Embed(tokens));
    KvCache kept;
    for (int layer = 0; layer < model.config().layer_count; ++layer) {
      LayerCache cache;
      if (goes_on) cache.past = &options.past->layers[static_cast<size_t>(layer)];
      if (options.kept != nullptr) cache.kept = &kept.layers.emplace_back();
      SASQ_ASSIGN_OR_RETURN(hidden, decoder.RunLayer(layer, hidden, executor, options.stop, cache));
    }
    if (options.kept != nullptr) {
      kept.token_count = past_count + token_count;
      *options.kept = std::move(kept);
    }
    return decoder.FinalNorm(hidden);
  });
}

absl::StatusOr<at::Tensor> Forward(const Model& model, absl::Span<const int32_t> tokens,
                                   SiteExecutor& executor, const ForwardOptions& options) {
  return ForwardBatch(model, tokens, /*sequence_count=*/1, executor, options);
}

int64_t LeadingCopies(absl::Span<const int32_t> tokens) {
  size_t count = 0;
  while (count < tokens.size() && tokens[count] == tokens[0]) ++count;
  return static_cast<int64_t>(count);
}

}  // namespace sasq
