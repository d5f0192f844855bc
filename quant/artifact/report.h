// The report of a job: every number that was measured. `report.json` is for programs; `report.html`
// (report_html.h) and `report.md` (report_markdown.h) show the same to people.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_H_
#define SASQ_QUANT_ARTIFACT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quant/artifact/confidence.h"
#include "quant/artifact/provenance.h"
#include "quant/format/site.h"

namespace sasq {

inline constexpr char kReportJsonFileName[] = "report.json";

// Perplexity on one text.
struct TextResult {
  std::string name;       // of the spec; empty for the evaluation text
  double perplexity = 0;  // exp(mean loss); infinite or NaN where the model collapsed
  std::optional<Interval> interval;
  int64_t token_count = 0;               // predicted tokens that were scored
  std::vector<double> window_mean_loss;  // nats per token, one per window, in text order
};

// Answers to one task.
struct TaskAccuracy {
  std::string name;
  int64_t question_count = 0;
  double accuracy = 0;             // 0..1
  double normalized_accuracy = 0;  // 0..1
};

// Greedy answers beside those of the float model.
struct GenerationResult {
  int64_t prompt_count = 0;
  double tokens_until_divergence = 0;
  double agreement = 0;   // 0..1
  double repetition = 0;  // 0..1
};

// What a row cost.
struct RowCost {
  double wall_seconds = 0;
  double cpu_seconds = 0;
  int64_t training_token_count = 0;
  double training_flop_count = 0;
  double training_cpu_seconds = 0;
  double flop_count = 0;  // of preparation and evaluation
  int64_t peak_memory_bytes = 0;
  std::optional<double> joules;  // absent where the machine cannot tell
  int64_t trained_bytes = 0;
};

// A token that carries an outlier.
struct OutlierReport {
  std::string text;      // as the tokenizer writes it
  int32_t position = 0;  // in its window
  float magnitude = 0;
};

// What a site does in a row.
struct SiteReport {
  SiteId site;
  std::string precision;     // `static`, `dynamic`, `float` or `clipped`
  float scale = 0;           // 0 without one
  float initial_scale = 0;   // 0 if it was not trained
  double clipped_share = 0;  // of calibration values
  double signal_to_noise_db = 0;
  double gradient_share = 0;  // of the squared gradient of all training steps
  float absmax = 0;           // in calibration
  float absmax_without_first = 0;
  std::vector<int64_t> octave_counts;   // magnitudes below 2^-12, in each octave, from 2^12 on: 26
  std::vector<OutlierReport> outliers;  // largest first
  std::optional<double> float_gain_nats;  // what the loss gains with this site alone in float
};

// One measured row of the comparison.
struct ComparisonRow {
  std::string name;         // unique in the report
  std::string method;       // `fp`, `rtn_dynamic`, ... `sasq`: the enum's value in lower case
  std::string first_token;  // `quantized`, `float` or `prefix`; for `fp`, which tokens were scored
  std::string description;  // what differs from the method's defaults, for people; may be empty
  std::string activations;  // `float`, `static` or `dynamic`
  int activation_bits = 8;
  int weight_bits = 8;
  // Whether a serving engine that reads compressed-tensors can express it.
  bool servable = false;
  TextResult text;                      // the evaluation text
  std::vector<TextResult> other_texts;  // in the order of the spec
  std::optional<double> decode_perplexity;
  std::optional<double> kl_divergence;   // nats
  std::optional<double> top1_agreement;  // 0..1
  // The same in equal parts of a window, by position; empty if not measured.
  std::vector<double> kl_by_position;
  std::vector<double> top1_by_position;
  std::vector<TaskAccuracy> tasks;
  std::optional<GenerationResult> generation;
  double float_flop_share = 0;    // of the linears' arithmetic, 0..1
  double dynamic_flop_share = 0;  // the same with one scale per token
  RowCost cost;
  double evaluation_seconds = 0;   // wall time
  double preparation_seconds = 0;  // wall time of calibration and training for this row
  std::vector<double> step_loss;   // nats per token, one per optimizer step
  std::vector<SiteReport> sites;   // layer by layer; empty for `fp`
  std::vector<std::string> notes;
  std::string failure;  // empty, or why the row is not what was asked for
};

// What the work cost, over all stages of the attempt that finished. A figure that this machine
// could not measure is absent, never estimated.
struct Cost {
  double wall_seconds = 0;
  double cpu_seconds = 0;  // all threads
  double flop_count = 0;   // counted from shapes: multiply-adds times two
  std::optional<double> joules;
  int64_t peak_memory_bytes = 0;  // resident, of the whole process
};

// Text that was really used.
struct Samples {
  int64_t calibration_windows = 0;
  int64_t calibration_tokens = 0;
  int64_t training_windows = 0;
  int64_t training_tokens = 0;
  int64_t evaluation_windows = 0;  // per row
  int64_t evaluation_tokens = 0;   // per row, all tokens read
};

// What a quality gate of the job said.
struct GateVerdict {
  std::string gate;             // such as `max-ppl-increase`
  std::string text;             // of another text; empty for the evaluation text
  std::optional<double> value;  // absent: it could not be evaluated, which does not pass
  double bound = 0;
  bool passed = false;
  std::string words;  // for people: value, bound and what was compared
};

struct Report {
  std::string kind;     // `quantize` or `compare`
  std::string model;    // for people, such as "SmolLM2-135M-Instruct"
  std::string dataset;  // for people, such as "wiki.test.raw"
  // The row whose scales the artifact holds; empty in a comparison.
  std::string recipe;
  std::vector<GateVerdict> gates;
  std::vector<ComparisonRow> rows;
  Cost cost;
  Samples samples;
  Provenance provenance;
};

// Whether a gate was not passed: the artifact is there to look into, not to serve.
bool IsRejected(const Report& report);

// The float row that was scored on the same tokens as `row`, or null.
const ComparisonRow* FloatRowFor(const Report& report, const ComparisonRow& row);

// `report.json`: {"format_version": 2, "kind", "model", "dataset", "recipe" (the chosen row's name,
// or null), "rejected" (true or false), "gates": [GateVerdict's fields; "value" may be null],
// "advice": {"serving" and "runtime": {"row" (a row's name or null), "words": [...]},
// "warnings": [...]}, "rows": [...], "cost", "samples", "provenance"}. Of a row:
//
//   "name", "method", "first_token", "description", "activations", "activation_bits",
//   "weight_bits", "servable", "failure" "perplexity", "perplexity_interval" ([low, high] or null),
//   "perplexity_ratio" (to the float row scored on the same tokens, or null), "windows", "tokens",
//   "window_mean_loss"; the same of each of "other_texts", with "name" "against_float":
//   {"mean_nats", "interval", "p_value"}, paired over windows, or null "decode_perplexity",
//   "kl_divergence", "top1_agreement", "generation" (each may be null), "kl_by_position",
//   "top1_by_position", "tasks": [{"name", "questions", "accuracy", "normalized_accuracy"}]
//   "float_flop_share", "dynamic_flop_share", "cost" (RowCost's fields;
//   "cpu_per_token_of_llm_qat" and "flops_per_token_of_llm_qat" or null; "joules" only where
//   measured), "seconds" (evaluation),
//   "preparation_seconds", "notes", "step_loss", "sites": [{"site", SiteReport's fields}]
//
// JSON has no infinity and no NaN: such a figure is null, and a perplexity then has
// "perplexity_note" beside it. Bytes that are not UTF-8 are replaced by U+FFFD. `words` and
// `warnings` carry the marks of report_format.h.
std::string ReportJson(const Report& report);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_H_
