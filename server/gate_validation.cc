#include "server/gate_validation.h"

#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

bool HasText(const v1::JobSpec& spec, const std::string& name) {
  const auto& texts = spec.evaluation().other_texts();
  return std::any_of(texts.begin(), texts.end(),
                     [&name](const v1::NamedText& text) { return text.name() == name; });
}

// The place of a bound in the spec.
std::string FieldOf(const v1::QualityGates& gates, const Gate& gate) {
  if (gate.text.empty()) return absl::StrCat("spec.gates.", gate.kind->field);
  int index = 0;
  while (gates.other_texts(index).name() != gate.text) ++index;
  return absl::StrCat("spec.gates.other_texts[", index, "].", gate.kind->field);
}

void CheckTexts(const v1::JobSpec& spec, FieldChecker& check) {
  std::set<std::string> names;
  for (int i = 0; i < spec.gates().other_texts_size(); ++i) {
    const v1::TextGates& text = spec.gates().other_texts(i);
    const std::string field = absl::StrCat("spec.gates.other_texts[", i, "]");
    if (!HasText(spec, text.name())) {
      check.Add(absl::StrCat(field, ".name"),
                absl::StrCat("is \"", text.name(),
                             "\", which is none of spec.evaluation.other_texts; measure that text "
                             "too, or leave its gate out"));
    } else if (!names.insert(text.name()).second) {
      check.Add(absl::StrCat(field, ".name"), absl::StrCat("is ", text.name(), " a second time"));
    }
    v1::QualityGates alone;
    *alone.add_other_texts() = text;
    if (GatesOf(alone).empty()) check.Add(field, "has no bound, want at least one");
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
  CheckTexts(spec, check);
  for (const Gate& gate : GatesOf(spec.gates())) {
    check.Range(FieldOf(spec.gates(), gate), gate.bound, gate.kind->lowest, gate.kind->highest);
  }
}

}  // namespace sasq
