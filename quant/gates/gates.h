// Quality gates: what the bounds of a spec say of the rows that its job measured. The worker writes
// it into the report, the coordinator decides by it, `sasq gate` asks it again afterwards: there is
// one answer, and it is computed here.
#ifndef SASQ_QUANT_GATES_GATES_H_
#define SASQ_QUANT_GATES_GATES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sasq/v1/job.pb.h"
#include "sasq/v1/job_spec.pb.h"

namespace sasq {

// What is bounded.
enum class GateFigure {
  kIncreaseOverFloat,
  kIncreaseOverDynamic,
  kPerplexity,
  kTop1Agreement,
  kKlDivergence,
  kTaskAccuracy,
};

// One kind of gate.
struct GateKind {
  const char* name;   // such as `max-ppl-increase`
  const char* field;  // of v1.QualityGates, v1.TextGates and v1.TaskGates, where they have it
  GateFigure figure;
  double lowest;  // bounds that make sense
  double highest;

  // The value must not be less than the bound; otherwise not more.
  bool is_floor() const {
    return figure == GateFigure::kTop1Agreement || figure == GateFigure::kTaskAccuracy;
  }
  // Other texts can have it too.
  bool is_of_texts() const { return figure <= GateFigure::kPerplexity; }
  // Only tasks have it.
  bool is_of_tasks() const { return figure == GateFigure::kTaskAccuracy; }
  // People write and read it in percent.
  bool is_share() const { return figure <= GateFigure::kIncreaseOverDynamic || is_floor(); }
};

// In the order of results.
absl::Span<const GateKind> GateKinds();

// One bound.
struct Gate {
  const GateKind* kind = nullptr;
  std::string text;  // the name of another text, or of the task; empty: the evaluation text
  double bound = 0;
};

// The gates that are set: those of the evaluation text, then those of each other text and task.
std::vector<Gate> GatesOf(const v1::QualityGates& gates);

// Sets one of them, replacing an earlier bound of the same kind and text.
void SetGate(const Gate& gate, v1::QualityGates* gates);

// `max-ppl-increase`, or `max-ppl-increase@code` for another text or a task.
std::string GateName(const Gate& gate);

// Whether a bound is about predictions compared with the float model's.
bool NeedsAgreement(const v1::QualityGates& gates);

// Whether a bound is relative to dynamic per-token scales.
bool NeedsDynamicRow(const v1::QualityGates& gates);

// The baseline of a completed spec that such a bound compares `recipe` with: METHOD_RTN_DYNAMIC
// with its first_token and bits. Null if there is none.
const v1::Recipe* DynamicBaseline(const v1::JobSpec& spec, const v1::Recipe& recipe);

// What `gates` say of the row called `row_name`, one result each, in the order of GatesOf. `spec`:
// completed, of the job that measured `rows`. A gate fails if what it needs is missing, ambiguous,
// scored on other tokens or not finite.
std::vector<v1::GateResult> EvaluateGates(
    const v1::JobSpec& spec, const v1::QualityGates& gates, absl::string_view row_name,
    const google::protobuf::RepeatedPtrField<v1::ReportRow>& rows);

// `max-ppl-increase is +42.56%, bound 0.10% (perplexity 24.554 against 17.224)`: as many digits as
// tell value and bound apart.
std::string DescribeGate(const v1::GateResult& result);

// `quality gate failed: ` and the gates that failed as DescribeGate writes them; empty if none did.
std::string GateFailure(absl::Span<const v1::GateResult> results);

}  // namespace sasq

#endif  // SASQ_QUANT_GATES_GATES_H_
