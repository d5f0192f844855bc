// The report of a job: every number that was measured. `report.json` is for programs, `report.html`
// (report_html.h) shows the same to people.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_H_
#define SASQ_QUANT_ARTIFACT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quant/artifact/provenance.h"
#include "quant/format/site.h"

namespace sasq {

inline constexpr char kReportJsonFileName[] = "report.json";

// One measured row of the comparison.
struct ComparisonRow {
  std::string method;       // `fp`, `rtn_dynamic`, `static_absmax`, `static_mse` or `sasq`
  std::string first_token;  // `quantized` or `float`; for `fp`, which tokens were scored
  double perplexity = 0;    // exp(mean loss); infinite or NaN where the model collapsed
  int64_t window_count = 0;
  int64_t token_count = 0;               // predicted tokens that were scored
  double evaluation_seconds = 0;         // wall time
  double preparation_seconds = 0;        // wall time of calibration and training for this row
  std::vector<double> window_mean_loss;  // nats per token, one per window, in text order
};

// A site's scale before and after training.
struct SiteTraining {
  SiteId site;
  float initial_scale = 0;
  float trained_scale = 0;
};

// How one row's scales were trained.
struct TrainingRecord {
  std::string method;             // of the row
  std::string first_token;        // of the row
  std::vector<double> step_loss;  // nats per token, one per optimizer step
  std::vector<SiteTraining> sites;
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

struct Report {
  std::string model;    // for people, such as "SmolLM2-135M-Instruct"
  std::string dataset;  // for people, such as "wiki.test.raw"
  // What the artifact's scales were made by: one of the rows.
  std::string method;
  std::string first_token;
  std::vector<ComparisonRow> rows;
  std::vector<TrainingRecord> trainings;  // of the rows that were trained
  Cost cost;
  Samples samples;
  Provenance provenance;
};

// The float row that was scored on the same tokens as `row`, or null.
const ComparisonRow* FloatRowFor(const Report& report, const ComparisonRow& row);

// `report.json`: {"format_version": 1, "model", "dataset", "method", "first_token", "rows":
// [{"method", "first_token", "perplexity", "perplexity_ratio" (to the float row scored on the same
// tokens), "windows", "tokens", "seconds", "preparation_seconds", "window_mean_loss": [...]}],
// "trainings": [{"method", "first_token", "step_loss": [...], "sites": [{"site", "initial_scale",
// "trained_scale"}]}], "cost", "samples", "provenance"}. JSON has no infinity and no NaN: such a
// figure is null, and a perplexity then has "perplexity_note" beside it. Bytes that are not UTF-8
// are replaced by U+FFFD.
std::string ReportJson(const Report& report);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_H_
