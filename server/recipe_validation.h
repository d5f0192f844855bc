// Checks one recipe and writes every default into it, as the comments of job_spec.proto say.
#ifndef SASQ_SERVER_RECIPE_VALIDATION_H_
#define SASQ_SERVER_RECIPE_VALIDATION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "quant/format/model_config.h"
#include "sasq/v1/job_spec.pb.h"
#include "server/field_checker.h"

namespace sasq {

// Completes the recipe at `field`; completing it again changes nothing. What is wrong goes to
// `check`.
void CompleteRecipe(absl::string_view field, v1::Recipe& recipe, FieldChecker& check);

// What a completed recipe says of a model that is known: tokens of its prefix, names of sites.
void CheckAgainstModel(absl::string_view field, const v1::Recipe& recipe, const ModelConfig& config,
                       FieldChecker& check);

// Adds a violation for each size of the model that the recipe's rotation has no Hadamard matrix of.
void CheckRotation(absl::string_view field, const v1::Recipe& recipe, const ModelConfig& config,
                   FieldChecker& check);

// Whether a completed recipe gives static scales that a scale pack can hold.
bool HasStaticScales(const v1::Recipe& recipe);

// Whether a completed recipe trains something.
bool Trains(const v1::Recipe& recipe);

}  // namespace sasq

#endif  // SASQ_SERVER_RECIPE_VALIDATION_H_
