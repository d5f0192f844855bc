// The integer weights of a model: symmetric, one scale per output channel, absmax over the largest
// code (127 of 8 bits, 7 of 4), rounded half to even. 4-bit codes are held in 8 bits.
#ifndef SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_
#define SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_

#include <memory>
#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/format/site.h"
#include "quant/model/model.h"

namespace sasq {

struct QuantizedSite;  // quant/model/quantized_site.h

// One matrix per site: the linears that read a site share its activations, so their weights are
// stacked and multiplied at once. About one byte of memory a weight, on the model's device.
// Immutable, so thread-safe.
class QuantizedWeights {
 public:
  // Quantizes and packs every site of `model`. `bits`: 4..8. CANCELLED when `stop` is asked for.
  static absl::StatusOr<std::shared_ptr<const QuantizedWeights>> Create(
      std::shared_ptr<const Model> model, std::stop_token stop = {}, int bits = 8);
  ~QuantizedWeights();

  const Model& model() const { return *model_; }
  const std::shared_ptr<const Model>& shared_model() const { return model_; }
  int bits() const { return bits_; }
  const QuantizedSite& site(SiteId site) const {
    return *sites_[static_cast<size_t>(SiteIndex(site))];
  }

 private:
  QuantizedWeights(std::shared_ptr<const Model> model, int bits);

  const std::shared_ptr<const Model> model_;
  const int bits_;
  // In the order of AllSites; constant after Create.
  std::vector<std::unique_ptr<const QuantizedSite>> sites_;
};

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_QUANTIZED_WEIGHTS_H_
