// The flag --gate: quality gates in short form.
#ifndef SASQ_CLIENT_GATE_FLAGS_H_
#define SASQ_CLIENT_GATE_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"
#include "quant/gates/gates.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// NAME=BOUND, or NAME@TEXT=BOUND for another text or a task, such as `max-ppl-increase@code=0.5%`.
// Increases and shares may be in percent. INVALID_ARGUMENT without the flag's name: `is "x", want
// ...`.
absl::StatusOr<Gate> ParseGate(absl::string_view text);

// Lays the gates over those of the spec. What is wrong with them, also one that is given twice, is
// added to `problems`.
void SetGates(const std::vector<std::string>& texts, v1::JobSpec& spec,
              std::vector<FieldViolation>& problems);

}  // namespace sasq

#endif  // SASQ_CLIENT_GATE_FLAGS_H_
