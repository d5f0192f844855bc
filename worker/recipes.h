// Names and order of a job's recipes.
#ifndef SASQ_WORKER_RECIPES_H_
#define SASQ_WORKER_RECIPES_H_

#include <string>
#include <vector>

#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// `sasq`: the enum's value in lower case, without its prefix.
std::string MethodName(v1::Method method);

// `quantized` or `float`.
std::string FirstTokenName(v1::FirstToken first_token);

// `sasq`, or `sasq, first token float`.
std::string RecipeName(const v1::Recipe& recipe);

// Every recipe that the job measures, in the order of the report: the baselines, then the recipe.
std::vector<v1::Recipe> RecipesOf(const v1::JobSpec& spec);

}  // namespace sasq

#endif  // SASQ_WORKER_RECIPES_H_
