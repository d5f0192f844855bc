// Checks a spec and writes every default into it, as the comments of job_spec.proto say.
#ifndef SASQ_SERVER_SPEC_VALIDATION_H_
#define SASQ_SERVER_SPEC_VALIDATION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"
#include "quant/format/model_config.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// The spec with every default written out; completing it again changes nothing. INVALID_ARGUMENT
// (INVALID_SPEC) with one violation per wrong field, paths from `spec.` on.
absl::StatusOr<v1::JobSpec> CompleteSpec(v1::JobSpec spec);

// What a completed spec asks that the model does not have: windows longer than its context, and
// what CheckAgainstModel of a recipe finds.
std::vector<FieldViolation> CheckAgainstModel(const v1::JobSpec& spec, const ModelConfig& config);

// SHA-256 of a completed spec: equal for equal specs.
std::string SpecFingerprint(const v1::JobSpec& spec);

}  // namespace sasq

#endif  // SASQ_SERVER_SPEC_VALIDATION_H_
