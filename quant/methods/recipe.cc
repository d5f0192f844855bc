#include "quant/methods/recipe.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

bool FirstTokenFloat(const v1::Recipe& recipe) {
  return recipe.first_token() == v1::FIRST_TOKEN_FLOAT;
}

absl::StatusOr<PreparedRecipe> PrepareStatic(const v1::Recipe& recipe, const RecipeInputs& inputs,
                                             std::vector<float> scales) {
  PreparedRecipe prepared;
  SASQ_ASSIGN_OR_RETURN(prepared.executor,
                        MakeStaticExecutor(inputs.weights, scales, FirstTokenFloat(recipe)));
  prepared.scales = std::move(scales);
  return prepared;
}

absl::StatusOr<PreparedRecipe> PrepareSasq(const v1::Recipe& recipe, const RecipeInputs& inputs) {
  const v1::TrainingOptions& training = recipe.training();
  const v1::Method start = training.initial_scales() == v1::INITIAL_SCALES_ABSMAX
                               ? v1::METHOD_STATIC_ABSMAX
                               : v1::METHOD_STATIC_MSE;
  const std::vector<float> initial_scales = inputs.calibrated_scales(start, recipe.first_token());
  ScaleTrainerOptions options;
  options.step_count = training.step_count();
  options.learning_rate = training.learning_rate();
  options.warmup_step_count = training.warmup_step_count();
  options.first_token_float = FirstTokenFloat(recipe);
  options.fingerprint = inputs.fingerprint;
  SASQ_ASSIGN_OR_RETURN(const std::unique_ptr<ScaleTrainer> trainer,
                        ScaleTrainer::Create(inputs.weights, initial_scales, options));
  if (!inputs.checkpoint.empty()) SASQ_RETURN_IF_ERROR(trainer->Restore(inputs.checkpoint));
  while (trainer->step() < options.step_count) {
    const absl::Span<const int32_t> window = inputs.training_window(trainer->step());
    SASQ_RETURN_IF_ERROR(trainer->Step(window, inputs.stop).status());
    if (inputs.on_step) inputs.on_step(*trainer);
  }
  SASQ_ASSIGN_OR_RETURN(PreparedRecipe prepared, PrepareStatic(recipe, inputs, trainer->scales()));
  prepared.initial_scales = initial_scales;
  prepared.history.assign(trainer->history().begin(), trainer->history().end());
  return prepared;
}

}  // namespace

absl::StatusOr<PreparedRecipe> PrepareRecipe(const v1::Recipe& recipe, const RecipeInputs& inputs) {
  SASQ_CHECK(inputs.model != nullptr);
  SASQ_CHECK(inputs.weights != nullptr || recipe.method() == v1::METHOD_FP);
  SASQ_CHECK(inputs.calibrated_scales != nullptr || !IsStaticMethod(recipe.method()));
  PreparedRecipe prepared;
  switch (recipe.method()) {
    case v1::METHOD_FP:
      prepared.executor = MakeFloatExecutor(inputs.model);
      return prepared;
    case v1::METHOD_RTN_DYNAMIC:
      prepared.executor = MakeDynamicExecutor(inputs.weights, FirstTokenFloat(recipe));
      return prepared;
    case v1::METHOD_STATIC_ABSMAX:
    case v1::METHOD_STATIC_MSE:
      return PrepareStatic(recipe, inputs,
                           inputs.calibrated_scales(recipe.method(), recipe.first_token()));
    case v1::METHOD_SASQ:
      return PrepareSasq(recipe, inputs);
    default:
      return WithReason(absl::InvalidArgumentError(absl::StrCat(
                            "recipe.method is ", static_cast<int>(recipe.method()),
                            ", want METHOD_FP, METHOD_RTN_DYNAMIC, METHOD_STATIC_ABSMAX, "
                            "METHOD_STATIC_MSE or METHOD_SASQ")),
                        "INVALID_SPEC");
  }
}

bool IsStaticMethod(v1::Method method) {
  return method == v1::METHOD_STATIC_ABSMAX || method == v1::METHOD_STATIC_MSE ||
         method == v1::METHOD_SASQ;
}

}  // namespace sasq
