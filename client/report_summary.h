// What two reports are compared by: one row of a report.json, and what its artifact came from.
#ifndef SASQ_CLIENT_REPORT_SUMMARY_H_
#define SASQ_CLIENT_REPORT_SUMMARY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

inline constexpr int64_t kMaxReportBytes = 64 << 20;

// One text. Figures that the report does not have are absent.
struct TextSummary {
  std::string name;  // empty: the evaluation text
  std::optional<double> perplexity;
  std::optional<double> low;  // 95% interval
  std::optional<double> high;
  std::optional<double> ratio;  // to the float row scored on the same tokens
};

struct SiteSummary {
  std::string precision;  // `static`, `dynamic`, `float` or `clipped`
  std::optional<double> scale;
};

struct ReportSummary {
  std::string name;  // what people call the artifact
  std::string model;
  std::string dataset;
  bool rejected = false;
  // The row.
  std::string row;
  std::string method;
  std::string description;
  std::string first_token;
  std::string activations;
  int64_t activation_bits = 0;
  int64_t weight_bits = 0;
  std::vector<TextSummary> texts;  // the evaluation text first
  std::optional<double> decode_perplexity;
  std::optional<double> kl_divergence;
  std::optional<double> top1_agreement;
  double float_flop_share = 0;
  double wall_seconds = 0;
  double cpu_seconds = 0;
  int64_t training_token_count = 0;
  int64_t trained_bytes = 0;
  int64_t peak_memory_bytes = 0;
  std::optional<double> joules;
  std::map<std::string, SiteSummary> sites;  // by name
  // The artifact.
  std::optional<int64_t> pack_bytes;                            // known where its files lie
  std::vector<std::pair<std::string, std::string>> provenance;  // field and value, in order
};

// Reads a report. `name` stands in errors: INVALID_ARGUMENT if it is no report of this version, or
// has no row called `row`; an empty `row` is the one whose scales the artifact holds, and a report
// of a comparison, which has none, then says which rows there are.
absl::StatusOr<ReportSummary> ReadReport(absl::string_view json, const std::string& name,
                                         const std::string& row);

// A site whose representation differs.
struct SiteDifference {
  std::string site;
  SiteSummary a;
  SiteSummary b;
  std::optional<double> ratio;  // of the scales, b to a; absent unless both have one
};

// Sites whose precision differs, then those whose scales differ, the largest ratio first. A site
// that one side lacks is left out.
std::vector<SiteDifference> CompareSites(const ReportSummary& a, const ReportSummary& b);

// A field of provenance that differs.
struct FieldDifference {
  std::string field;
  std::string a;  // empty: not there
  std::string b;
};

std::vector<FieldDifference> CompareProvenance(const ReportSummary& a, const ReportSummary& b);

}  // namespace sasq

#endif  // SASQ_CLIENT_REPORT_SUMMARY_H_
