// One method of the comparison: what it does to the model, and which rules it gives the sites. Each
// has a file of its own (methods.h lists them); recipe.h carries a recipe out with it.
#ifndef SASQ_QUANT_METHODS_METHOD_H_
#define SASQ_QUANT_METHODS_METHOD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/format/site.h"
#include "quant/format/site_rule.h"
#include "quant/methods/activation_statistics.h"
#include "quant/model/model.h"
#include "quant/model/quantized_weights.h"

namespace sasq {

struct KvCache;  // quant/model/kv_cache.h

// One optimizer step of a method that trains.
struct MethodStep {
  int64_t step = 0;  // 1 for the first
  double loss = 0;   // nats per token
};

// What training cost, and what it left. FLOPs are counted from shapes.
struct TrainingBill {
  std::vector<double> step_losses;
  int64_t token_count = 0;
  double flop_count = 0;
  double cpu_seconds = 0;
  int64_t trained_bytes = 0;
};

// The unquantized model that a method wants to be quantized.
struct PreparedModel {
  std::shared_ptr<const Model> model;
  // Equal keys mean equal models: they share calibration. Empty: the model as it was given.
  std::string key;
  // Of the sites that smoothing was folded into: what each channel of the activations was divided
  // by (smoothing.h).
  std::map<SiteId, std::vector<float>> smoothing_factors;
  TrainingBill bill;               // of what was trained to make it
  std::vector<std::string> notes;  // for people: what was searched and found
};

// What methods work on.
struct MethodInputs {
  std::shared_ptr<const Model> model;  // unquantized
  uint64_t seed = 0;
  absl::Span<const absl::Span<const int32_t>> calibration_windows;
  // Statistics of a model without a prefix; collected once for equal keys.
  std::function<absl::StatusOr<std::shared_ptr<const ActivationStatistics>>(const PreparedModel&)>
      statistics;
  // Methods that train: the window of each training step, from 0.
  std::function<absl::Span<const int32_t>(int64_t step)> training_window;
  // Called after each training step. May be null.
  std::function<void(const MethodStep&)> on_step;
  std::stop_token stop;
};

// Stateless, so thread-safe; made from a recipe whose defaults are filled in.
class Method {
 public:
  virtual ~Method() = default;

  // Folds transforms into the model or trains its weights. The model computes what it computed
  // before, up to float rounding, unless weights were trained. UNSUPPORTED_MODEL for a model
  // without the structure that the method needs; DIVERGED when a loss is not finite; CANCELLED when
  // asked to stop. Default: the model as it is.
  virtual absl::StatusOr<PreparedModel> PrepareModel(const MethodInputs& inputs) const;

  // How sites represent their activations before scales are trained and before the recipe's
  // SitePolicy is applied; nothing for a method that quantizes nothing.
  virtual std::optional<SitePrecision> precision() const = 0;

  // Whether scales are trained from where calibration puts them.
  virtual bool trains_scales() const { return false; }
};

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_METHOD_H_
