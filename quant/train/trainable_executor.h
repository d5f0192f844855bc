// Static INT8 sites whose activations and scales have gradients. For the engine alone: whoever
// includes this includes LibTorch.
#ifndef SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_
#define SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_

#include <ATen/core/Tensor.h>

#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/site_executor.h"
#include "quant/train/backward_weights.h"

namespace sasq {

// Run gives the values of the static executor to the bit. Under autograd, d loss / d y becomes
// d loss / d x_hat by BackwardWeights::InputGradient, and that d loss / d x and d loss / d s by
// ops::FakeQuantizeBackward. A row 0 that stays in float passes its gradient on as it is and adds
// nothing to d loss / d s.
class TrainableExecutor final : public SiteExecutor {
 public:
  // `weights` must outlive this executor and every backward pass through it.
  TrainableExecutor(const BackwardWeights& weights, absl::Span<const float> scales,
                    bool first_token_float);

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) override;

  // The scale of a site as a leaf of the graph: float64, no dimensions.
  const at::Tensor& scale(SiteId site) const;

 private:
  const BackwardWeights& weights_;
  const bool first_token_float_;
  std::vector<at::Tensor> scales_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_
