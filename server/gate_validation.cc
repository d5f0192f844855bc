#include "server/gate_validation.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

using NamedTexts = google::protobuf::RepeatedPtrField<v1::NamedText>;

bool HasName(const NamedTexts& texts, const std::string& name) {
  return std::any_of(texts.begin(), texts.end(),
                     [&name](const v1::NamedText& text) { return text.name() == name; });
}

// `gates`: of texts or of tasks.
template <typename Gates>
int IndexOf(const std::string& name, const google::protobuf::RepeatedPtrField<Gates>& gates) {
  int index = 0;
  while (gates[index].name() != name) ++index;
  return index;
}

// The place of a bound in the spec.
std::string FieldOf(const v1::QualityGates& gates, const Gate& gate) {
  if (gate.kind->is_of_tasks()) {
    return absl::StrCat("spec.gates.tasks[", IndexOf(gate.text, gates.tasks()), "].",
                        gate.kind->field);
  }
  if (gate.text.empty()) return absl::StrCat("spec.gates.", gate.kind->field);
  return absl::StrCat("spec.gates.other_texts[", IndexOf(gate.text, gates.other_texts()), "].",
                      gate.kind->field);
}

// Gates of other texts or of tasks. `measured`: those that the spec has; `what` is its field's
// name.
template <typename Gates>
void CheckNamed(const google::protobuf::RepeatedPtrField<Gates>& gates, const NamedTexts& measured,
                const std::string& what, FieldChecker& check) {
  std::set<std::string> names;
  for (int i = 0; i < gates.size(); ++i) {
    const std::string field = absl::StrCat("spec.gates.", what, "[", i, "]");
    const std::string& name = gates[i].name();
    if (!HasName(measured, name)) {
      check.Add(absl::StrCat(field, ".name"),
                absl::StrCat("is \"", name, "\", which is none of spec.evaluation.", what,
                             "; measure it too, or leave its gate out"));
    } else if (!names.insert(name).second) {
      check.Add(absl::StrCat(field, ".name"), absl::StrCat("is ", name, " a second time"));
    }
    Gates without_name = gates[i];
    without_name.clear_name();
    if (without_name.ByteSizeLong() == 0) check.Add(field, "has no bound, want at least one");
  }
}

}  // namespace

void CompleteGates(v1::JobSpec& spec, FieldChecker& check) {
  if (spec.gates().ByteSizeLong() == 0) {
    spec.clear_gates();
    return;
  }
  if (spec.kind() == v1::JOB_KIND_COMPARE) {
    check.Add("spec.gates",
              "is set, but JOB_KIND_COMPARE has no recipe that they could be about; ask "
              "`sasq gate JOB --row NAME` about its rows once they are measured");
    return;
  }
  CheckNamed(spec.gates().other_texts(), spec.evaluation().other_texts(), "other_texts", check);
  CheckNamed(spec.gates().tasks(), spec.evaluation().tasks(), "tasks", check);
  for (const Gate& gate : GatesOf(spec.gates())) {
    check.Range(FieldOf(spec.gates(), gate), gate.bound, gate.kind->lowest, gate.kind->highest);
  }
}

}  // namespace sasq
