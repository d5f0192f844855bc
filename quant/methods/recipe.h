// From a recipe (method and options) to a model that can be evaluated.
#ifndef SASQ_QUANT_METHODS_RECIPE_H_
#define SASQ_QUANT_METHODS_RECIPE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "quant/methods/method.h"
#include "quant/methods/statistics_store.h"
#include "quant/model/quantized_weights.h"
#include "quant/model/site_executor.h"
#include "quant/train/scale_trainer.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// What recipes work on; `store` serves all recipes of a job.
struct RecipeInputs {
  std::shared_ptr<const Model> model;  // unquantized, as it was loaded
  // Its 8-bit weights. Null: they are made when they are needed.
  std::shared_ptr<const QuantizedWeights> weights;
  uint64_t seed = 0;
  StatisticsStore* store = nullptr;  // may be null where no method needs calibration
  // Methods that train: the window of each training step, from 0.
  std::function<absl::Span<const int32_t>(int64_t step)> training_window;
  // Trained scales: what a checkpoint of this recipe has to agree with.
  std::string fingerprint;
  // Trained scales: where an earlier attempt stood. Empty: start anew.
  std::string checkpoint;
  std::vector<SiteRule> checkpoint_sites;  // where its training started
  // Trained scales: called after each step with the rules that training started from. May be null.
  std::function<void(const ScaleTrainer&, const QuantizationRules& initial)> on_scale_step;
  // Methods that train weights or rotations: called after each step. May be null.
  std::function<void(const MethodStep&)> on_step;
  std::stop_token stop;
};

// A recipe carried out on a model.
struct PreparedRecipe {
  std::shared_ptr<const Model> model;               // what is computed; transforms folded in
  std::shared_ptr<const QuantizedWeights> weights;  // null if nothing is quantized
  std::vector<int32_t> prefix_tokens;               // none without a prefix
  std::shared_ptr<const KvCache> prefix;            // theirs; null without
  std::unique_ptr<SiteExecutor> executor;           // reads sequences
  std::unique_ptr<SiteExecutor> decode_executor;    // goes on token by token: dynamic scales
  QuantizationRules rules;                          // no sites if nothing is quantized
  QuantizationRules initial_rules;                  // before scales were trained; else no sites
  std::shared_ptr<const ActivationStatistics> statistics;  // null if none were needed
  std::vector<TrainingStep> history;                       // of trained scales
  std::vector<double> gradient_shares;                     // by site, of trained scales; else none
  // By site: what the loss gains with the site alone in float, in nats; none if it was not
  // measured.
  std::vector<std::optional<double>> float_gains;
  // See PreparedModel.
  std::map<SiteId, std::vector<float>> smoothing_factors;
  double float_flop_share = 0;    // of the linears' arithmetic, 0..1
  double dynamic_flop_share = 0;  // the same with one scale per token
  // What the calibrations cost that this recipe needed, also where another recipe shared them.
  double calibration_wall_seconds = 0;
  double calibration_cpu_seconds = 0;
  int64_t calibration_token_count = 0;
  TrainingBill bill;
  std::vector<std::string> notes;
  std::string failure;  // DIVERGED: what happened; the scales are the last good ones. Else empty.
};

// Carries out `recipe`, whose defaults must be filled in. Statuses as of Method::PrepareModel,
// ScaleTrainer::Create and Restore; INVALID_ARGUMENT with the reason INVALID_SPEC for a method or a
// site pattern that is not known. Scales whose training diverges are no error: see `failure`.
absl::StatusOr<PreparedRecipe> PrepareRecipe(const v1::Recipe& recipe, const RecipeInputs& inputs);

// The tokens that stand before every sequence: those of the recipe, or the model's BOS (0 where it
// has none). Empty without FIRST_TOKEN_PREFIX.
std::vector<int32_t> PrefixTokens(const v1::Recipe& recipe, const Model& model);

// INVALID_ARGUMENT (INVALID_SPEC) if the recipe names a prefix token that the model lacks.
absl::Status CheckPrefixTokens(const v1::Recipe& recipe, const Model& model);

// Keys and values of a prefix, as the float model computes them.
absl::StatusOr<std::shared_ptr<const KvCache>> ComputePrefix(std::shared_ptr<const Model> model,
                                                             absl::Span<const int32_t> tokens,
                                                             std::stop_token stop);

// Whether the recipe leaves out what is predicted from the first token.
bool SkipsFirstPrediction(const v1::Recipe& recipe);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_RECIPE_H_
