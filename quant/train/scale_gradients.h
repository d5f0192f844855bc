// The loss of one window and its gradient by every activation scale.
#ifndef SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_
#define SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/site_rule.h"
#include "quant/model/next_token_loss.h"
#include "quant/train/backward_weights.h"

namespace at {
class Tensor;
}  // namespace at

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

struct ScaleGradients {
  double loss = 0;               // mean nats per scored token
  std::vector<double> gradient;  // d loss / d scale, in the order of Model::sites()
};

// A window as it is trained on.
struct TrainingWindow {
  absl::Span<const int32_t> tokens;
  // Keys and values of a prefix that every window follows; null without.
  const KvCache* prefix = nullptr;
  // Predictions of positions before this one are not scored.
  int64_t first_position = 0;
  // The unquantized model's hidden states of the same tokens, [tokens, hidden_size]: the loss is
  // the mean divergence of the predictions from its predictions. Null: the next token's cross
  // entropy.
  const at::Tensor* teacher_hidden = nullptr;
};

// Forward with `rules` as the quantized executor computes it, backward through the rounding by
// LSQ's rule; no gradient of a weight is computed. Sites without a scale have the gradient 0.
// `loss` is of the same model, and so is the teacher. INVALID_ARGUMENT as of CheckRules; CANCELLED,
// within one site's work, when `stop` is asked for.
absl::StatusOr<ScaleGradients> ComputeScaleGradients(const BackwardWeights& weights,
                                                     NextTokenLoss& loss,
                                                     const QuantizationRules& rules,
                                                     const TrainingWindow& window,
                                                     std::stop_token stop);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_
