#include "client/gate_flags.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/nearest_name.h"

namespace sasq {
namespace {

absl::Status Wanted(absl::string_view text, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is \"", text, "\", want ", wanted));
}

std::vector<std::string> GateNames() {
  std::vector<std::string> names;
  for (const GateKind& kind : GateKinds()) names.emplace_back(kind.name);
  return names;
}

}  // namespace

absl::StatusOr<Gate> ParseGate(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  const std::vector<std::string> place = absl::StrSplit(parts[0], absl::MaxSplits('@', 1));
  const auto kind =
      std::find_if(GateKinds().begin(), GateKinds().end(),
                   [&place](const GateKind& known) { return place[0] == known.name; });
  if (kind == GateKinds().end()) {
    return Wanted(text, absl::StrCat("NAME=BOUND, NAME one of ", absl::StrJoin(GateNames(), ", "),
                                     DidYouMean(place[0], GateNames())));
  }
  Gate gate;
  gate.kind = &*kind;
  if (place.size() == 2) gate.text = place[1];
  if (kind->is_of_tasks() && gate.text.empty()) {
    return Wanted(text, absl::StrCat(kind->name, "@TASK=BOUND, TASK a task's name"));
  }
  if (place.size() == 2 && !kind->is_of_tasks() && (gate.text.empty() || !kind->is_of_texts())) {
    return Wanted(text, kind->is_of_texts()
                            ? absl::StrCat(kind->name, "@TEXT=BOUND, TEXT an other text's name")
                            : absl::StrCat(kind->name,
                                           "=BOUND: agreement is measured on the "
                                           "evaluation text alone"));
  }
  absl::string_view number = parts.size() == 2 ? parts[1] : "";
  const bool in_percent = kind->is_share() && absl::ConsumeSuffix(&number, "%");
  if (!absl::SimpleAtod(number, &gate.bound) || !std::isfinite(gate.bound)) {
    return Wanted(text,
                  kind->is_share()
                      ? absl::StrCat(kind->name, "=BOUND, BOUND a number such as 0.001 or 0.1%")
                      : absl::StrCat(kind->name, "=BOUND, BOUND a number"));
  }
  if (in_percent) gate.bound /= 100;
  return gate;
}

void SetGates(const std::vector<std::string>& texts, v1::JobSpec& spec,
              std::vector<FieldViolation>& problems) {
  std::set<std::string> seen;
  for (const std::string& text : texts) {
    const absl::StatusOr<Gate> gate = ParseGate(text);
    if (!gate.ok()) {
      problems.push_back({"--gate", std::string(gate.status().message())});
    } else if (!seen.insert(GateName(*gate)).second) {
      problems.push_back({"--gate", absl::StrCat("gives ", GateName(*gate), " twice")});
    } else {
      SetGate(*gate, spec.mutable_gates());
    }
  }
}

}  // namespace sasq
