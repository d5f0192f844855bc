#include "server/plan.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"
#include "quant/format/flop_count.h"
#include "quant/format/memory_estimate.h"
#include "quant/format/model_config.h"
#include "quant/format/site.h"
#include "server/recipe_validation.h"
#include "server/spec_validation.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

constexpr int64_t kBytesPerToken = 4;

// Tokens of one stage and their cost.
struct Cost {
  int64_t token_count = 0;
  double flop_count = 0;
};

// Adds `windows` windows of `window_tokens` tokens, each of which costs `window_flops`.
void AddStage(int64_t windows, int64_t window_tokens, double window_flops, Cost& cost) {
  cost.token_count += windows * window_tokens;
  cost.flop_count += static_cast<double>(windows) * window_flops;
}

std::vector<v1::Recipe> AllRecipes(const v1::JobSpec& spec) {
  std::vector<v1::Recipe> recipes(spec.baselines().begin(), spec.baselines().end());
  if (spec.has_recipe()) recipes.push_back(spec.recipe());
  return recipes;
}

int64_t TextWindows(const v1::TextSource& text, const v1::EvaluationOptions& evaluation,
                    const SpecSources& sources) {
  if (evaluation.window_count() > 0) return evaluation.window_count();
  return sources.TextBytes(text) / kBytesPerToken / evaluation.stride_tokens();
}

// A training step of the recipe. LLM-QAT has gradients of weights too, and writes and reads its
// text with the unquantized model before.
double StepFlopCount(const v1::Recipe& recipe, const ModelConfig& config) {
  const int64_t tokens = recipe.training().window_tokens();
  const double step = TrainingStepFlopCount(config, tokens);
  if (recipe.method() != v1::METHOD_LLM_QAT) return step;
  return 1.5 * step + 2 * ForwardFlopCount(config, tokens);
}

Cost JobCost(const v1::JobSpec& spec, const ModelConfig& config, const SpecSources& sources) {
  Cost cost;
  bool calibrates = false;
  const int64_t evaluation_tokens = spec.evaluation().window_tokens();
  const int64_t evaluation_windows =
      TextWindows(spec.evaluation_text(), spec.evaluation(), sources);
  for (const v1::Recipe& recipe : AllRecipes(spec)) {
    calibrates =
        calibrates || recipe.activations() == v1::ACTIVATIONS_STATIC || recipe.has_smoothing();
    if (Trains(recipe)) {
      const int64_t tokens = recipe.training().window_tokens();
      AddStage(recipe.training().step_count(), tokens, StepFlopCount(recipe, config), cost);
    }
    AddStage(evaluation_windows, evaluation_tokens, ForwardFlopCount(config, evaluation_tokens),
             cost);
    for (const v1::NamedText& text : spec.evaluation().other_texts()) {
      AddStage(TextWindows(text.text(), spec.evaluation(), sources), evaluation_tokens,
               ForwardFlopCount(config, evaluation_tokens), cost);
    }
    AddStage(spec.evaluation().decode_window_count() + spec.evaluation().agreement_window_count(),
             evaluation_tokens, ForwardFlopCount(config, evaluation_tokens), cost);
  }
  if (calibrates) {
    const int64_t tokens = spec.calibration().window_tokens();
    AddStage(spec.calibration().window_count(), tokens, ForwardFlopCount(config, tokens), cost);
  }
  return cost;
}

// Transforms make a float32 model in memory beside the mapped one; LLM-QAT holds float32 weights,
// their gradients and two moments.
int64_t RecipeMemoryBytes(const v1::Recipe& recipe, const v1::JobSpec& spec,
                          const ModelConfig& config) {
  const int64_t evaluation = EvaluationMemoryBytes(config, spec.evaluation().window_tokens());
  const int64_t float_model =
      4 * (config.ParameterCount() + config.vocab_size * config.hidden_size);
  const int64_t training =
      Trains(recipe) ? TrainingMemoryBytes(config, recipe.training().window_tokens()) : 0;
  int64_t bytes = std::max(evaluation, training);
  const bool transforms = recipe.has_smoothing() || recipe.rotation() == v1::ROTATION_FOLDED ||
                          recipe.rotation() == v1::ROTATION_ONLINE;
  if (transforms) bytes += float_model;
  if (recipe.method() == v1::METHOD_LLM_QAT) bytes += 4 * float_model;
  return bytes;
}

int64_t PeakMemory(const v1::JobSpec& spec, const ModelConfig& config) {
  int64_t peak = EvaluationMemoryBytes(
      config,
      std::max<int64_t>(spec.evaluation().window_tokens(), spec.calibration().window_tokens()));
  for (const v1::Recipe& recipe : AllRecipes(spec)) {
    peak = std::max(peak, RecipeMemoryBytes(recipe, spec, config));
  }
  return peak;
}

}  // namespace

absl::StatusOr<v1::Plan> MakePlan(const v1::JobSpec& spec, double flops_per_second,
                                  const SpecSources& sources) {
  v1::Plan plan;
  const std::string path = absl::StrCat(spec.model().uri(), "/config.json");
  const absl::StatusOr<std::string> json = sources.ReadConfig(spec.model());
  if (!json.ok()) return plan;  // the worker may see what this machine does not
  const absl::StatusOr<ModelConfig> config = ParseModelConfig(*json, path);
  if (!config.ok()) {
    return FieldViolationsStatus(
        {{"spec.model.uri",
          absl::StrCat("names a model that cannot be quantized: ", config.status().message())}},
        "INVALID_SPEC");
  }
  if (const std::vector<FieldViolation> wrong = CheckAgainstModel(spec, *config); !wrong.empty()) {
    return FieldViolationsStatus(wrong, "INVALID_SPEC");
  }
  const Cost cost = JobCost(spec, *config, sources);
  plan.set_model_readable(true);
  plan.set_architecture(std::string(ArchitectureName(config->architecture)));
  plan.set_parameter_count(config->ParameterCount());
  plan.set_site_count(static_cast<int32_t>(config->layer_count * kSiteKindCount));
  plan.set_token_count(cost.token_count);
  plan.set_flop_count(cost.flop_count);
  plan.set_memory_bytes(PeakMemory(spec, *config));
  if (flops_per_second > 0) {
    SetDuration(absl::Seconds(cost.flop_count / flops_per_second), plan.mutable_duration());
  }
  return plan;
}

}  // namespace sasq
