// The seam between a model and the way its linears are computed. A site is a tensor that one or
// more linears read (q/k/v; o; gate/up; down); whoever executes it decides how its activations are
// represented.
#ifndef SASQ_QUANT_MODEL_SITE_EXECUTOR_H_
#define SASQ_QUANT_MODEL_SITE_EXECUTOR_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/site.h"
#include "quant/model/model.h"
#include "quant/model/quantized_weights.h"

namespace at {
class Tensor;
}  // namespace at

namespace sasq {

// One thread.
class SiteExecutor {
 public:
  virtual ~SiteExecutor() = default;
  // Outputs of the linears that read `site`, side by side: [tokens, sum of out_features] of
  // x[tokens, in_features]. Both float32 on the model's device; row 0 is the first token of the
  // sequence. May also throw as LibTorch's operators do (torch_guard.h).
  virtual absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x) = 0;
};

// Original weights, float32 activations.
std::unique_ptr<SiteExecutor> MakeFloatExecutor(std::shared_ptr<const Model> model);

// INT8 weights, INT8 activations with one scale per token computed at run time. With
// `first_token_float` row 0 keeps its float activations.
std::unique_ptr<SiteExecutor> MakeDynamicExecutor(std::shared_ptr<const QuantizedWeights> weights,
                                                  bool first_token_float);

// INT8 weights, INT8 activations with one static scale per site, in the order of Model::sites().
// With `first_token_float` row 0 keeps its float activations. INVALID_ARGUMENT if the number of
// scales is wrong or one is not finite and positive.
absl::StatusOr<std::unique_ptr<SiteExecutor>> MakeStaticExecutor(
    std::shared_ptr<const QuantizedWeights> weights, std::vector<float> scales,
    bool first_token_float);

// INVALID_ARGUMENT that names the site unless there is one finite, positive scale for each site.
absl::Status CheckScales(const Model& model, absl::Span<const float> scales);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_SITE_EXECUTOR_H_
