// Static INT8 sites the plain way: float32, fake quantization from elementwise operators, gradients
// by LibTorch's autograd. An independent second opinion on the trainer, and what it is measured
// against.
#ifndef SASQ_TESTS_SUPPORT_PLAIN_EXECUTOR_H_
#define SASQ_TESTS_SUPPORT_PLAIN_EXECUTOR_H_

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/quantized_weights.h"
#include "quant/model/site_executor.h"

namespace sasq::testing {

// x_hat = s * (c + stop_gradient(round(c) - c)) with c = clamp(x / s, -128, 127): LSQ's
// straight-through rule falls out of autograd. Weights are dequantized once and need no gradient.
class PlainExecutor final : public SiteExecutor {
 public:
  PlainExecutor(const QuantizedWeights& weights, absl::Span<const float> scales);

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override;

  // The scales, float32 leaves of the graph.
  std::vector<at::Tensor>& scales() { return scales_; }

 private:
  std::vector<at::Tensor> weights_;  // [out_features, in_features] a site
  std::vector<std::optional<at::Tensor>> biases_;
  std::vector<at::Tensor> scales_;
};

// The mean next-token cross entropy of `window` with one graph over the whole model and all logits
// at once, and its gradient by each scale of `executor`.
struct PlainGradients {
  double loss = 0;
  std::vector<double> gradient;
};
PlainGradients ComputePlainGradients(const Model& model, PlainExecutor& executor,
                                     absl::Span<const int32_t> window);

}  // namespace sasq::testing

#endif  // SASQ_TESTS_SUPPORT_PLAIN_EXECUTOR_H_
