#include "worker/recipes.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

// Where the method's static scales come from if nothing is said (job_spec.proto).
v1::ScaleRule UsualScaleRule(v1::Method method) {
  switch (method) {
    case v1::METHOD_STATIC_ABSMAX:
      return v1::SCALE_RULE_ABSMAX_MEAN;
    case v1::METHOD_STATIC_PERCENTILE:
      return v1::SCALE_RULE_PERCENTILE;
    case v1::METHOD_SMOOTHQUANT:
      return v1::SCALE_RULE_ABSMAX_MAX;
    default:
      return v1::SCALE_RULE_MSE;
  }
}

}  // namespace

std::string MethodName(v1::Method method) {
  const std::string& name = v1::Method_Name(method);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "METHOD_"));
}

std::string FirstTokenName(v1::FirstToken first_token) {
  switch (first_token) {
    case v1::FIRST_TOKEN_FLOAT:
      return "float";
    case v1::FIRST_TOKEN_PREFIX:
      return "prefix";
    default:
      return "quantized";
  }
}

std::string ActivationsName(const v1::Recipe& recipe) {
  if (recipe.method() == v1::METHOD_FP_CLIPPED) return "float";  // clipped, but never rounded
  switch (recipe.activations()) {
    case v1::ACTIVATIONS_STATIC:
      return "static";
    case v1::ACTIVATIONS_DYNAMIC:
      return "dynamic";
    default:
      return "float";
  }
}

std::string DescribeRecipe(const v1::Recipe& recipe) {
  const v1::Method method = recipe.method();
  const bool rotates_itself = method == v1::METHOD_QUAROT || method == v1::METHOD_SPINQUANT;
  std::vector<std::string> parts;
  if (recipe.rotation() == v1::ROTATION_FOLDED) parts.push_back("rotation folded into the weights");
  if (recipe.rotation() == v1::ROTATION_ONLINE && !rotates_itself) {
    parts.push_back("rotation, with a Hadamard transform before down_proj");
  }
  if (recipe.has_smoothing() && method != v1::METHOD_SMOOTHQUANT) parts.push_back("smoothing");
  if (recipe.smoothing().include_down()) parts.push_back("down_proj smoothed too");
  const bool is_static = recipe.activations() == v1::ACTIVATIONS_STATIC;
  if (is_static && (rotates_itself || method == v1::METHOD_LLM_QAT)) {
    parts.push_back("static scales");
  }
  if (!is_static && method == v1::METHOD_SMOOTHQUANT) {
    parts.push_back("dynamic per-token scales");
  }
  if (is_static && recipe.scale_rule() != UsualScaleRule(method)) {
    parts.push_back(
        absl::StrCat("scales from ", absl::AsciiStrToLower(absl::StripPrefix(
                                         v1::ScaleRule_Name(recipe.scale_rule()), "SCALE_RULE_"))));
  }
  if (recipe.training().loss() == v1::TRAINING_LOSS_KL_DIVERGENCE) {
    parts.push_back("trained by KL divergence from the float model");
  }
  if (recipe.sites().max_float_flops() > 0) {
    parts.push_back(absl::StrFormat("up to %g%% of the linears in float",
                                    100 * recipe.sites().max_float_flops()));
  }
  if (recipe.sites().max_dynamic_flops() > 0) {
    parts.push_back(absl::StrFormat("up to %g%% of the linears with dynamic scales",
                                    100 * recipe.sites().max_dynamic_flops()));
  }
  return absl::StrJoin(parts, "; ");
}

std::string DescribeTraining(const v1::Recipe& recipe) {
  const v1::TrainingOptions& training = recipe.training();
  return absl::StrFormat("trained in %d steps of %d tokens, peak learning rate %g",
                         training.step_count(), training.window_tokens(), training.learning_rate());
}

bool IsServable(const v1::Recipe& recipe) {
  return recipe.method() != v1::METHOD_FP && recipe.method() != v1::METHOD_FP_CLIPPED &&
         recipe.first_token() == v1::FIRST_TOKEN_QUANTIZED &&
         recipe.rotation() != v1::ROTATION_ONLINE && recipe.activation_bits() == 8 &&
         recipe.weight_bits() == 8;
}

std::vector<v1::Recipe> RecipesOf(const v1::JobSpec& spec) {
  std::vector<v1::Recipe> recipes(spec.baselines().begin(), spec.baselines().end());
  if (spec.has_recipe()) recipes.push_back(spec.recipe());
  return recipes;
}

}  // namespace sasq
