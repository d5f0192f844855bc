#include "worker/recipes.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace sasq {

std::string MethodName(v1::Method method) {
  const std::string& name = v1::Method_Name(method);
  return absl::AsciiStrToLower(absl::StripPrefix(name, "METHOD_"));
}

std::string FirstTokenName(v1::FirstToken first_token) {
  return first_token == v1::FIRST_TOKEN_FLOAT ? "float" : "quantized";
}

std::string RecipeName(const v1::Recipe& recipe) {
  return recipe.first_token() == v1::FIRST_TOKEN_FLOAT
             ? absl::StrCat(MethodName(recipe.method()), ", first token float")
             : MethodName(recipe.method());
}

std::vector<v1::Recipe> RecipesOf(const v1::JobSpec& spec) {
  std::vector<v1::Recipe> recipes(spec.baselines().begin(), spec.baselines().end());
  recipes.push_back(spec.recipe());
  return recipes;
}

}  // namespace sasq
