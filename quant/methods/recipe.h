// From a recipe (method and options) to a model that can be evaluated.
#ifndef SASQ_QUANT_METHODS_RECIPE_H_
#define SASQ_QUANT_METHODS_RECIPE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "quant/model/model.h"
#include "quant/model/quantized_weights.h"
#include "quant/model/site_executor.h"
#include "quant/train/scale_trainer.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// What recipes work on; one set serves all recipes of a job.
struct RecipeInputs {
  std::shared_ptr<const Model> model;
  // Null is allowed where only METHOD_FP is prepared.
  std::shared_ptr<const QuantizedWeights> weights;
  // Scales that calibration gave for METHOD_STATIC_ABSMAX or METHOD_STATIC_MSE, in the order of
  // Model::sites(). May be null where no static method is prepared.
  std::function<std::vector<float>(v1::Method method, v1::FirstToken first_token)>
      calibrated_scales;
  // METHOD_SASQ: the window of each training step, from 0.
  std::function<absl::Span<const int32_t>(int64_t step)> training_window;
  // METHOD_SASQ: what a checkpoint of this recipe has to agree with.
  std::string fingerprint;
  // METHOD_SASQ: a checkpoint to go on from. Empty: start anew.
  std::string checkpoint;
  // METHOD_SASQ: called after each step (take a checkpoint, report the loss). May be null.
  std::function<void(const ScaleTrainer&)> on_step;
  std::stop_token stop;
};

// A recipe carried out on a model.
struct PreparedRecipe {
  std::unique_ptr<SiteExecutor> executor;
  // One static scale per site in the order of Model::sites(); empty for methods without.
  std::vector<float> scales;
  // METHOD_SASQ: where the scales started, and what each step gave.
  std::vector<float> initial_scales;
  std::vector<TrainingStep> history;
};

// Carries out `recipe`, whose defaults must be filled in. Statuses as of ScaleTrainer::Create, Step
// and Restore; INVALID_ARGUMENT with the reason INVALID_SPEC for a method that is not known.
absl::StatusOr<PreparedRecipe> PrepareRecipe(const v1::Recipe& recipe, const RecipeInputs& inputs);

// Whether `method` produces static scales, and so needs calibration.
bool IsStaticMethod(v1::Method method);

}  // namespace sasq

#endif  // SASQ_QUANT_METHODS_RECIPE_H_
