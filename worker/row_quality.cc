#include "worker/row_quality.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "quant/format/site_rule.h"
#include "quant/gates/gates.h"

namespace sasq {
namespace {

// A text is known by a word of its URI.
struct KnownText {
  absl::string_view word;
  absl::string_view label;
};
constexpr KnownText kKnownTexts[] = {
    {"wikitext", "wikitext"}, {"wiki", "wikitext"}, {"c4", "c4"},
    {"lambada", "lambada"},   {"pile", "pile"},     {"ptb", "ptb"}};

// `llama` for LlamaForCausalLM.
std::string FamilyLabel(Architecture architecture) {
  absl::string_view name = ArchitectureName(architecture);
  absl::ConsumeSuffix(&name, "ForCausalLM");
  return absl::AsciiStrToLower(name);
}

// As the quality gates see it.
std::optional<double> PerplexityRatio(
    absl::string_view row_name, const v1::JobSpec& spec,
    const google::protobuf::RepeatedPtrField<worker::v1::MeasuredRow>& measured_rows) {
  google::protobuf::RepeatedPtrField<v1::ReportRow> rows;
  for (const worker::v1::MeasuredRow& measured : measured_rows) *rows.Add() = measured.row();
  v1::QualityGates gates;
  gates.set_max_perplexity_increase(0);
  const v1::GateResult result = EvaluateGates(spec, gates, row_name, rows).front();
  if (!result.has_value()) return std::nullopt;
  return 1 + result.value();
}

std::optional<double> ClippedShare(const worker::v1::MeasuredRow& measured) {
  double sum = 0;
  int count = 0;
  for (const worker::v1::MeasuredSite& site : measured.sites()) {
    const bool is_static = static_cast<SitePrecision>(site.precision()) == SitePrecision::kStatic;
    if (!is_static || site.octave_counts().empty()) continue;  // or it was not calibrated
    sum += site.clipped_share();
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / count;
}

}  // namespace

RowQuality QualityOf(const worker::v1::MeasuredRow& measured,
                     const google::protobuf::RepeatedPtrField<worker::v1::MeasuredRow>& rows,
                     const v1::JobSpec& spec, Architecture architecture) {
  RowQuality quality;
  quality.model_family = FamilyLabel(architecture);
  quality.dataset = DatasetLabel(spec.evaluation_text().uri());
  quality.method = measured.row().method();
  quality.perplexity_ratio = PerplexityRatio(measured.row().name(), spec, rows);
  quality.clipped_share = ClippedShare(measured);
  return quality;
}

std::string DatasetLabel(absl::string_view uri) {
  const std::string lower = absl::AsciiStrToLower(uri);
  for (const absl::string_view word : absl::StrSplit(lower, absl::ByAnyChar(":/@._-"))) {
    for (const KnownText& known : kKnownTexts) {
      if (word == known.word) return std::string(known.label);
    }
  }
  return "other";
}

}  // namespace sasq
