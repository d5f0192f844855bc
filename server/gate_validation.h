// Checks the gates of a spec, as the comments of job_spec.proto say.
#ifndef SASQ_SERVER_GATE_VALIDATION_H_
#define SASQ_SERVER_GATE_VALIDATION_H_

#include "sasq/v1/job_spec.pb.h"
#include "server/field_checker.h"

namespace sasq {

// Takes gates without any bound out of the spec, and adds a violation for each bound that makes no
// sense, for gates of a comparison and of texts that the spec does not have.
void CompleteGates(v1::JobSpec& spec, FieldChecker& check);

}  // namespace sasq

#endif  // SASQ_SERVER_GATE_VALIDATION_H_
