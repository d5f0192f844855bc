#include "quant/gates/gates.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using Rows = google::protobuf::RepeatedPtrField<v1::ReportRow>;

constexpr GateKind kGateKinds[] = {
    {"max-ppl-increase", "max_perplexity_increase", GateFigure::kIncreaseOverFloat, -1, 1000},
    {"max-ppl-increase-over-dynamic", "max_perplexity_increase_over_dynamic",
     GateFigure::kIncreaseOverDynamic, -1, 1000},
    {"max-ppl", "max_perplexity", GateFigure::kPerplexity, 1, 1e9},
    {"min-top1-agreement", "min_top1_agreement", GateFigure::kTop1Agreement, 0, 1},
    {"max-kl", "max_kl_divergence", GateFigure::kKlDivergence, 0, 1000},
    {"min-task-accuracy", "min_accuracy", GateFigure::kTaskAccuracy, 0, 1},
};
constexpr int kMaxDecimals = 9;

const FieldDescriptor* FieldOf(const GateKind& kind, const Message& message) {
  return message.GetDescriptor()->FindFieldByName(kind.field);
}

void AddGates(const Message& message, const std::string& text, std::vector<Gate>& gates) {
  for (const GateKind& kind : kGateKinds) {
    const FieldDescriptor* field = FieldOf(kind, message);
    if (field == nullptr || !message.GetReflection()->HasField(message, field)) continue;
    gates.push_back({&kind, text, message.GetReflection()->GetDouble(message, field)});
  }
}

// The one of a name, added where there is none.
template <typename Gates>
Gates* Named(const std::string& name, google::protobuf::RepeatedPtrField<Gates>& gates) {
  for (Gates& one : gates) {
    if (one.name() == name) return &one;
  }
  Gates* added = gates.Add();
  added->set_name(name);
  return added;
}

// The first baseline of a method that is measured as `recipe` is, or null.
const v1::Recipe* FindBaseline(const v1::JobSpec& spec, const v1::Recipe& recipe,
                               v1::Method method) {
  for (const v1::Recipe& baseline : spec.baselines()) {
    const bool same_bits = baseline.activation_bits() == recipe.activation_bits() &&
                           baseline.weight_bits() == recipe.weight_bits();
    if (baseline.method() == method && baseline.first_token() == recipe.first_token() &&
        (same_bits || method == v1::METHOD_FP)) {
      return &baseline;
    }
  }
  return nullptr;
}

const v1::Recipe* FindRecipe(const v1::JobSpec& spec, absl::string_view name) {
  if (spec.has_recipe() && spec.recipe().name() == name) return &spec.recipe();
  for (const v1::Recipe& baseline : spec.baselines()) {
    if (baseline.name() == name) return &baseline;
  }
  return nullptr;
}

// The one row of a name, or null.
const v1::ReportRow* FindRow(const Rows& rows, absl::string_view name) {
  const v1::ReportRow* found = nullptr;
  for (const v1::ReportRow& row : rows) {
    if (row.name() != name) continue;
    if (found != nullptr) return nullptr;
    found = &row;
  }
  return found;
}

struct Perplexity {
  double value = 0;
  int64_t token_count = 0;
};

// The perplexity of a row on a text; nothing if it was not measured.
std::optional<Perplexity> PerplexityOn(const v1::ReportRow& row, const std::string& text) {
  if (text.empty()) {
    if (row.perplexity() == 0) return std::nullopt;
    return Perplexity{row.perplexity(), row.token_count()};
  }
  for (const v1::TextPerplexity& other : row.other_texts()) {
    if (other.name() == text && other.perplexity() != 0) {
      return Perplexity{other.perplexity(), other.token_count()};
    }
  }
  return std::nullopt;
}

// One row and what it is compared with. A figure that is not there leaves the result without a
// value and with the reason.
class Evaluation {
 public:
  Evaluation(const v1::JobSpec& spec, absl::string_view row_name, const Rows& rows)
      : recipe_(FindRecipe(spec, row_name)),
        row_name_(row_name),
        row_(FindRow(rows, row_name)),
        float_(Reference(spec, rows, v1::METHOD_FP)),
        dynamic_(Reference(spec, rows, v1::METHOD_RTN_DYNAMIC)) {}

  v1::GateResult Evaluate(const Gate& gate) const {
    v1::GateResult result;
    result.set_gate(gate.kind->name);
    result.set_text(gate.text);
    result.set_bound(gate.bound);
    const double value = Measure(gate, result);
    if (!std::isfinite(value)) return result;
    result.set_value(value);
    result.set_passed(gate.kind->is_floor() ? value >= gate.bound : value <= gate.bound);
    return result;
  }

 private:
  const v1::ReportRow* Reference(const v1::JobSpec& spec, const Rows& rows,
                                 v1::Method method) const {
    if (recipe_ == nullptr) return nullptr;
    const v1::Recipe* baseline = FindBaseline(spec, *recipe_, method);
    return baseline == nullptr ? nullptr : FindRow(rows, baseline->name());
  }

  // NaN without a figure. Says in `result` what was looked at.
  double Measure(const Gate& gate, v1::GateResult& result) const {
    if (row_ == nullptr) {
      result.set_detail(absl::StrCat("there is no one row called ", row_name_));
      return NAN;
    }
    if (gate.kind->is_of_tasks()) return TaskAccuracy(gate.text, result);
    const std::optional<Perplexity> own = PerplexityOn(*row_, gate.text);
    if (!own.has_value()) {
      result.set_detail("its perplexity was not measured");
      return NAN;
    }
    switch (gate.kind->figure) {
      case GateFigure::kIncreaseOverFloat:
        return Increase(*own, gate.text, float_, "float row with its first token", result);
      case GateFigure::kIncreaseOverDynamic:
        return Increase(*own, gate.text, dynamic_, "rtn_dynamic row with its first token and bits",
                        result);
      case GateFigure::kPerplexity:
        return own->value;
      case GateFigure::kTop1Agreement:
        if (row_->has_top1_agreement()) return row_->top1_agreement();
        break;
      case GateFigure::kKlDivergence:
        if (row_->has_kl_divergence()) return row_->kl_divergence();
        break;
      case GateFigure::kTaskAccuracy:
        SASQ_CHECK(false);  // was answered before
    }
    result.set_detail("agreement was not measured");
    return NAN;
  }

  double TaskAccuracy(const std::string& task, v1::GateResult& result) const {
    for (const v1::TaskScore& score : row_->tasks()) {
      if (score.name() != task) continue;
      result.set_detail(absl::StrCat(score.question_count(), " questions"));
      return score.accuracy();
    }
    result.set_detail(absl::StrCat("the task ", task, " was not measured"));
    return NAN;
  }

  static double Increase(const Perplexity& own, const std::string& text,
                         const v1::ReportRow* reference, absl::string_view what,
                         v1::GateResult& result) {
    const std::optional<Perplexity> other =
        reference == nullptr ? std::nullopt : PerplexityOn(*reference, text);
    if (!other.has_value()) {
      result.set_detail(absl::StrCat("there is no measured ", what));
      return NAN;
    }
    if (other->token_count != own.token_count) {
      result.set_detail(absl::StrCat("scored on ", own.token_count, " tokens, ", reference->name(),
                                     " on ", other->token_count));
      return NAN;
    }
    result.set_detail(absl::StrFormat("perplexity %.3f against %.3f", own.value, other->value));
    return own.value / other->value - 1;
  }

  const v1::Recipe* const recipe_;
  const absl::string_view row_name_;
  const v1::ReportRow* const row_;
  const v1::ReportRow* const float_;
  const v1::ReportRow* const dynamic_;
};

// A value or bound with so many decimals. `kind`: null for one that this program does not know.
std::string FigureText(const GateKind* kind, double figure, int decimals) {
  if (kind == nullptr || !kind->is_share()) return absl::StrFormat("%.*f", decimals + 1, figure);
  return absl::StrFormat("%.*f%%", decimals, 100 * figure);
}

// A value is what a bound is, but for the sign of an increase.
std::string ValueText(const GateKind* kind, double value, int decimals) {
  const bool is_increase = kind != nullptr && kind->figure <= GateFigure::kIncreaseOverDynamic;
  return absl::StrCat(is_increase && value >= 0 ? "+" : "", FigureText(kind, value, decimals));
}

}  // namespace

absl::Span<const GateKind> GateKinds() { return kGateKinds; }

std::vector<Gate> GatesOf(const v1::QualityGates& gates) {
  std::vector<Gate> result;
  AddGates(gates, "", result);
  for (const v1::TextGates& text : gates.other_texts()) AddGates(text, text.name(), result);
  for (const v1::TaskGates& task : gates.tasks()) AddGates(task, task.name(), result);
  return result;
}

void SetGate(const Gate& gate, v1::QualityGates* gates) {
  Message* message = gates;
  if (gate.kind->is_of_tasks()) {
    message = Named(gate.text, *gates->mutable_tasks());
  } else if (!gate.text.empty()) {
    message = Named(gate.text, *gates->mutable_other_texts());
  }
  const FieldDescriptor* field = FieldOf(*gate.kind, *message);
  SASQ_CHECK(field != nullptr);
  message->GetReflection()->SetDouble(message, field, gate.bound);
}

std::string GateName(const Gate& gate) {
  return gate.text.empty() ? gate.kind->name : absl::StrCat(gate.kind->name, "@", gate.text);
}

bool NeedsAgreement(const v1::QualityGates& gates) {
  return gates.has_min_top1_agreement() || gates.has_max_kl_divergence();
}

bool NeedsDynamicRow(const v1::QualityGates& gates) {
  const auto& texts = gates.other_texts();
  return gates.has_max_perplexity_increase_over_dynamic() ||
         std::any_of(texts.begin(), texts.end(), [](const v1::TextGates& text) {
           return text.has_max_perplexity_increase_over_dynamic();
         });
}

const v1::Recipe* DynamicBaseline(const v1::JobSpec& spec, const v1::Recipe& recipe) {
  return FindBaseline(spec, recipe, v1::METHOD_RTN_DYNAMIC);
}

std::vector<v1::GateResult> EvaluateGates(const v1::JobSpec& spec, const v1::QualityGates& gates,
                                          absl::string_view row_name, const Rows& rows) {
  const Evaluation evaluation(spec, row_name, rows);
  std::vector<v1::GateResult> results;
  for (const Gate& gate : GatesOf(gates)) results.push_back(evaluation.Evaluate(gate));
  return results;
}

std::string DescribeGate(const v1::GateResult& result) {
  const auto* kind =
      std::find_if(std::begin(kGateKinds), std::end(kGateKinds),
                   [&result](const GateKind& known) { return result.gate() == known.name; });
  if (kind == std::end(kGateKinds)) kind = nullptr;
  int decimals = 2;
  while (result.has_value() && result.value() != result.bound() && decimals < kMaxDecimals &&
         FigureText(kind, result.value(), decimals) == FigureText(kind, result.bound(), decimals)) {
    ++decimals;
  }
  return absl::StrCat(result.gate(), result.text().empty() ? "" : "@", result.text(),
                      result.has_value()
                          ? absl::StrCat(" is ", ValueText(kind, result.value(), decimals))
                          : " could not be evaluated",
                      ", bound ", FigureText(kind, result.bound(), decimals),
                      result.detail().empty() ? "" : absl::StrCat(" (", result.detail(), ")"));
}

std::string GateFailure(absl::Span<const v1::GateResult> results) {
  std::vector<std::string> failed;
  for (const v1::GateResult& result : results) {
    if (!result.passed()) failed.push_back(DescribeGate(result));
  }
  if (failed.empty()) return "";
  return absl::StrCat("quality gate failed: ", absl::StrJoin(failed, "; "));
}

}  // namespace sasq
