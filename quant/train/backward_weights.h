// The INT8 weights of a model for the backward pass, and the product with them.
#ifndef SASQ_QUANT_TRAIN_BACKWARD_WEIGHTS_H_
#define SASQ_QUANT_TRAIN_BACKWARD_WEIGHTS_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/format/site.h"
#include "quant/model/quantized_weights.h"

namespace at {
class Tensor;
}  // namespace at

namespace sasq {

// Each site's codes transposed and packed again: one more byte of memory a weight. Immutable, so
// thread-safe.
class BackwardWeights {
 public:
  // INVALID_ARGUMENT if a site has more than kernels::kMaxInFeatures output channels.
  static absl::StatusOr<std::shared_ptr<const BackwardWeights>> Create(
      std::shared_ptr<const QuantizedWeights> weights);
  ~BackwardWeights();

  // What they were made of.
  const QuantizedWeights& forward() const { return *weights_; }
  const std::shared_ptr<const QuantizedWeights>& shared_forward() const { return weights_; }

  // d loss / d x_hat = d loss / d y * W, float32 [tokens, in_features] of [tokens, out_features],
  // where W = diag(s_w) * codes. Throws what the operators throw.
  //
  // W's scales go into the gradient, each row of which is then written as the sum of two INT8 rows,
  // the second with the rounding error of the first: an error below 2^-15 of the row's absmax,
  // which the straight-through rule's own error dwarfs. Both rows go through the exact integer
  // product, several times faster than a float32 one and with the same bits on every CPU path. A
  // gradient that is not finite gives NaNs.
  at::Tensor InputGradient(SiteId site, const at::Tensor& grad_y) const;

 private:
  explicit BackwardWeights(std::shared_ptr<const QuantizedWeights> weights);

  const std::shared_ptr<const QuantizedWeights> weights_;
  // Codes [in_features, out_features] with scales of 1, in the order of AllSites; constant after
  // Create.
  std::vector<std::unique_ptr<const QuantizedSite>> transposed_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_TRAIN_BACKWARD_WEIGHTS_H_
