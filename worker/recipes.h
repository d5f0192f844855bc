// Names and order of a job's recipes.
#ifndef SASQ_WORKER_RECIPES_H_
#define SASQ_WORKER_RECIPES_H_

#include <string>
#include <vector>

#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// `sasq`: the enum's value in lower case, without its prefix.
std::string MethodName(v1::Method method);

// `quantized`, `float` or `prefix`.
std::string FirstTokenName(v1::FirstToken first_token);

// `float`, `static` or `dynamic`.
std::string ActivationsName(const v1::Recipe& recipe);

// What differs from the method's usual, for people; may be empty.
std::string DescribeRecipe(const v1::Recipe& recipe);

// `trained in 60 steps of 256 tokens, peak learning rate 0.08`, of a recipe that trains.
std::string DescribeTraining(const v1::Recipe& recipe);

// Whether an engine that reads compressed-tensors can express the recipe: no transform and no
// exception for the first token while the model runs, and integer weights of 8 bits.
bool IsServable(const v1::Recipe& recipe);

// Every recipe that the job measures, in the order of the report: the baselines, then the recipe.
std::vector<v1::Recipe> RecipesOf(const v1::JobSpec& spec);

}  // namespace sasq

#endif  // SASQ_WORKER_RECIPES_H_
