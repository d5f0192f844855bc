// The loss of one window and its gradient by every activation scale.
#ifndef SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_
#define SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/next_token_loss.h"
#include "quant/train/backward_weights.h"

namespace sasq {

struct ScaleGradients {
  double loss = 0;               // mean nats per scored token
  std::vector<double> gradient;  // d loss / d scale, in the order of Model::sites()
};

// Forward in INT8 with `scales` (finite, positive, one a site), backward through the rounding by
// LSQ's rule; no gradient of a weight is computed. With `first_token_float` row 0 stays
// in float and its prediction is not scored. `loss` is of the same model. CANCELLED, within one
// site's work, when `stop` is asked for.
absl::StatusOr<ScaleGradients> ComputeScaleGradients(
    const BackwardWeights& weights, NextTokenLoss& loss, absl::Span<const float> scales,
    bool first_token_float, absl::Span<const int32_t> window, std::stop_token stop);

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_SCALE_GRADIENTS_H_
