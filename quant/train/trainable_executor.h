// Sites whose activations and scales have gradients. For the engine alone: whoever includes this
// includes LibTorch.
#ifndef SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_
#define SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/model/int8_linear.h"
#include "quant/model/site_executor.h"
#include "quant/train/backward_weights.h"

namespace sasq {

// Run gives the values of the quantized executor to the bit. Under autograd, d loss / d y becomes
// d loss / d x_hat by the site's weights, integer or float, and that becomes, by the site's rule:
//   kStatic   d loss / d x and d loss / d s by LSQ's rule (kernels/fake_quantize.h)
//   kDynamic  d loss / d x as it is: nothing is clipped
//   kFloat    d loss / d x as it is
//   kClipped  both as kStatic, but d x_hat / d s = 0 where nothing is clipped
// Rows that stay in float pass their gradient on as it is and add nothing to d loss / d s.
class TrainableExecutor final : public SiteExecutor {
 public:
  // `weights` must outlive this executor and every backward pass through it; the rules must be
  // right (CheckRules).
  TrainableExecutor(const BackwardWeights& weights, const QuantizationRules& rules);

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override;

  // The scale of a site as a leaf of the graph: float64, no dimensions. It has no gradient where
  // the rule has no scale.
  const at::Tensor& scale(SiteId site) const;

  // Gradient by the activations, and by the scale (float64, no dimensions, undefined without one),
  // of a site that got `x`; `grad_y` is that by its outputs.
  struct Gradients {
    at::Tensor x;
    at::Tensor scale;
  };
  Gradients Backward(SiteId site, const at::Tensor& x, const at::Tensor& grad_y,
                     int64_t float_rows);

 private:
  const SiteRule& rule(SiteId site) const {
    return rules_.sites[static_cast<size_t>(SiteIndex(site))];
  }

  const BackwardWeights& weights_;
  const QuantizationRules rules_;
  const std::unique_ptr<SiteExecutor> forward_;
  FloatLinears float_linears_;
  std::vector<at::Tensor> scales_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_TRAINABLE_EXECUTOR_H_
