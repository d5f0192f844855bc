#include "worker/recipes.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace sasq {

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
  std::vector<std::string> parts;
  if (recipe.rotation() == v1::ROTATION_FOLDED) parts.push_back("rotation folded into the weights");
  if (recipe.rotation() == v1::ROTATION_ONLINE) {
    parts.push_back("rotation, with a Hadamard transform before down_proj");
  }
  if (recipe.has_smoothing()) {
    parts.push_back(recipe.smoothing().include_down() ? "smoothing, down_proj included"
                                                      : "smoothing");
  }
  if (recipe.activations() == v1::ACTIVATIONS_STATIC) {
    parts.push_back(absl::StrCat("static scales from ",
                                 absl::AsciiStrToLower(absl::StripPrefix(
                                     v1::ScaleRule_Name(recipe.scale_rule()), "SCALE_RULE_"))));
  } else if (recipe.activations() == v1::ACTIVATIONS_DYNAMIC) {
    parts.push_back("dynamic per-token scales");
  }
  if (recipe.has_training()) {
    const v1::TrainingOptions& training = recipe.training();
    parts.push_back(absl::StrFormat("%d steps of %d tokens at %g", training.step_count(),
                                    training.window_tokens(), training.learning_rate()));
    if (training.loss() == v1::TRAINING_LOSS_KL_DIVERGENCE) {
      parts.push_back("KL divergence from the float model");
    }
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
