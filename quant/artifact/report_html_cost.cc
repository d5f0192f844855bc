// Quality gates, cost and provenance on the report page.
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_sections.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

// `training_text` as "Training text".
std::string InputLabel(absl::string_view role) {
  std::string label = EscapeHtml(absl::StrReplaceAll(role, {{"_", " "}}));
  if (!label.empty()) label[0] = absl::ascii_toupper(static_cast<unsigned char>(label[0]));
  return label;
}

void AppendSpec(absl::string_view spec_json, std::string& html) {
  const nlohmann::json spec = nlohmann::json::parse(spec_json, nullptr, /*allow_exceptions=*/false);
  if (!spec.is_object() || spec.empty()) return;
  html += "<details><summary>The job's spec, every default written out</summary><dl>";
  const nlohmann::json flat = spec.flatten();
  for (const auto& [path, value] : flat.items()) {
    const std::string text =
        value.is_string() ? value.get<std::string>()
                          : value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    AppendEntry(absl::StrCat("<code>", EscapeHtml(absl::string_view(path).substr(1)), "</code>"),
                EscapeHtml(text), html);
  }
  html += "</dl></details>";
}

}  // namespace

void AppendGates(const Report& report, std::string& html) {
  if (report.gates.empty()) return;
  absl::StrAppend(&html, "<h2>", MarkedHtml(GatesTitle(report)), "</h2>");
  AppendSentences(GateWords(report), html);
}

void AppendCost(const Report& report, const ReportAnalysis& analysis, std::string& html) {
  const Cost& cost = report.cost;
  const Samples& samples = report.samples;
  const auto text = [](int64_t windows, int64_t tokens) {
    return absl::StrCat(Counted(windows, "window"), ", ", Counted(tokens, "token"));
  };
  html += "<h2>Cost</h2>";
  AppendSentences(CostWords(analysis), html);
  AppendTable(CostTable(analysis), html);
  html += "<div class=\"pair\"><div class=\"card\"><h3>The whole job</h3><dl>";
  AppendEntry("Wall time", FormatSeconds(cost.wall_seconds), html);
  AppendEntry("CPU time", FormatSeconds(cost.cpu_seconds), html);
  AppendEntry("Arithmetic", FormatFlops(cost.flop_count), html);
  AppendEntry("Energy",
              cost.joules.has_value() ? absl::StrFormat("%.0f J", *cost.joules)
                                      : std::string("not measurable on this machine"),
              html);
  AppendEntry("Peak memory", FormatBytes(cost.peak_memory_bytes), html);
  html += "</dl></div><div class=\"card\"><h3>Text that was read</h3><dl>";
  AppendEntry("Calibration", text(samples.calibration_windows, samples.calibration_tokens), html);
  AppendEntry("Training", text(samples.training_windows, samples.training_tokens), html);
  AppendEntry("Evaluation, each row", text(samples.evaluation_windows, samples.evaluation_tokens),
              html);
  html += "</dl></div></div>";
}

void AppendProvenance(const Provenance& provenance, std::string& html) {
  html += "<h2>Where it comes from</h2><div class=\"card\"><dl>";
  AppendEntry("Program", absl::StrCat("SASQ ", EscapeHtml(provenance.code_version)), html);
  AppendEntry(
      "Device",
      absl::StrCat(EscapeHtml(provenance.device_name), " (", EscapeHtml(provenance.device_kind),
                   ", ", Counted(provenance.thread_count, "thread"), ", kernels <code>",
                   EscapeHtml(provenance.kernel_path), "</code>)"),
      html);
  for (const InputDigest& input : provenance.inputs) {
    AppendEntry(InputLabel(input.role),
                absl::StrCat("<code>", EscapeHtml(input.uri),
                             "</code><br><span class=\"dim\">SHA-256 <code>",
                             EscapeHtml(input.sha256), "</code></span>"),
                html);
  }
  html += "</dl>";
  AppendSpec(provenance.spec_json, html);
  html += "</div>";
}

}  // namespace sasq
