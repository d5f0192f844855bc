// The INT8 weights of a model: symmetric, one scale per output channel, absmax / 127, rounded half
// to even.
#ifndef SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_
#define SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_

#include <memory>
#include <stop_token>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "kernels/cpu_path.h"
#include "kernels/packed_weights.h"
#include "quant/format/site.h"
#include "quant/model/model.h"

namespace sasq {

// One matrix per site: the linears that read a site share its activations, so their weights are
// stacked and multiplied at once. About one byte of memory a weight. Immutable, so thread-safe.
class QuantizedWeights {
 public:
  struct Site {
    kernels::PackedWeights weights;  // [sum of out_features, in_features]
    std::vector<float> bias;         // [sum of out_features], or empty
  };

  // Quantizes and packs every site of `model` for `path`. CANCELLED when `stop` is asked for.
  static absl::StatusOr<std::shared_ptr<const QuantizedWeights>> Create(
      std::shared_ptr<const Model> model, kernels::CpuPath path, std::stop_token stop = {});

  const Model& model() const { return *model_; }
  kernels::CpuPath path() const { return path_; }
  const Site& site(SiteId site) const { return sites_[static_cast<size_t>(SiteIndex(site))]; }

 private:
  QuantizedWeights(std::shared_ptr<const Model> model, kernels::CpuPath path)
      : model_(std::move(model)), path_(path) {}

  const std::shared_ptr<const Model> model_;
  const kernels::CpuPath path_;
  std::vector<Site> sites_;  // in the order of AllSites; constant after Create
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_
