// The seam between a model and the way its linears are computed. A site is a tensor that one or
// more linears read (q/k/v; o; gate/up; down); whoever executes it decides how its activations are
// represented.
#ifndef SASQ_QUANT_MODEL_SITE_EXECUTOR_H_
#define SASQ_QUANT_MODEL_SITE_EXECUTOR_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "quant/format/site.h"
#include "quant/format/site_rule.h"
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
  // Outputs of the linears that read `site`, side by side: [rows, sum of out_features] of
  // x[rows, in_features]. Both float32 on the model's device. The first `leading_rows` rows hold
  // the first token of a sequence and the copies of it that follow directly; 0 where the sequence
  // goes on from a cache. May also throw as LibTorch's operators do (torch_guard.h).
  virtual absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x,
                                         int64_t leading_rows) = 0;
};

// The model's own weights, float32 activations.
std::unique_ptr<SiteExecutor> MakeFloatExecutor(std::shared_ptr<const Model> model);

// Integer weights, and activations by the rules. INVALID_ARGUMENT as of CheckRules.
absl::StatusOr<std::unique_ptr<SiteExecutor>> MakeQuantizedExecutor(
    std::shared_ptr<const QuantizedWeights> weights, QuantizationRules rules);

// INVALID_ARGUMENT that names the site unless there is a rule for each site, with a finite,
// positive scale where one is needed, and the number of bits is known.
absl::Status CheckRules(const Model& model, const QuantizationRules& rules);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_SITE_EXECUTOR_H_
