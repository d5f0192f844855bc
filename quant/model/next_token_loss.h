// Next-token cross entropy.
#ifndef SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_
#define SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_

#include <cstdint>
#include <stop_token>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"

namespace at {
class Tensor;
}  // namespace at

namespace sasq {

// The loss of one sequence.
struct SequenceLoss {
  double sum_nats = 0;  // sum over the scored predictions
  int64_t count = 0;    // scored predictions
};

// Loss of predicting token t + 1 from hidden[t] for t in first_position..tokens-2. Logits exist for
// a chunk of rows at a time. If `grad_hidden` is not null it receives d (mean loss) / d hidden,
// [tokens, hidden_size], in closed form.
absl::StatusOr<SequenceLoss> NextTokenLoss(const Model& model, const at::Tensor& hidden,
                                           absl::Span<const int32_t> tokens, int64_t first_position,
                                           std::stop_token stop = {},
                                           at::Tensor* grad_hidden = nullptr);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_NEXT_TOKEN_LOSS_H_
