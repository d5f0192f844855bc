// What the numbers of a report say, before they are put into words (report_words.h): which rows are
// compared with which, which is best, and what training did.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_ANALYSIS_H_
#define SASQ_QUANT_ARTIFACT_REPORT_ANALYSIS_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"
#include "quant/artifact/report.h"

namespace sasq {

// A difference is called significant below this p-value.
inline constexpr double kSignificant = 0.05;
// Windows that a sign-flip test needs before any p-value is below kSignificant: 2 / 2^6.
inline constexpr int kFewestWindows = 6;
// A perplexity of more than this many times the float model's: the model is unusable.
inline constexpr double kCollapsedRatio = 2;
// Differences of the score below this are no reason to pay for scales at run time.
inline constexpr double kTieNats = 0.005;

// One row beside the float row that was scored on the same tokens.
struct RowAnalysis {
  const ComparisonRow* row = nullptr;
  const ComparisonRow* reference = nullptr;  // null: there is none
  bool measured = false;                     // it has a perplexity, be it infinite
  bool collapsed = false;                    // infinite, or beyond kCollapsedRatio
  std::optional<double> increase;            // perplexity / the reference's - 1, if finite
  std::optional<PairedDifference> against_float;
  std::vector<std::optional<double>> other_increases;  // one per other text of the row
  // Mean over all texts of log(perplexity / the reference's): what rows are ranked by.
  std::optional<double> score;
};

// Points into the report, which must outlive it.
struct ReportAnalysis {
  ReportAnalysis() = default;
  ReportAnalysis(ReportAnalysis&&) = default;
  ReportAnalysis& operator=(ReportAnalysis&&) = default;
  // Copies would point into the original.
  ReportAnalysis(const ReportAnalysis&) = delete;
  ReportAnalysis& operator=(const ReportAnalysis&) = delete;

  std::vector<RowAnalysis> rows;               // in the report's order
  const RowAnalysis* chosen = nullptr;         // the row of report.recipe
  const RowAnalysis* best_servable = nullptr;  // of those that serving engines can run
  const RowAnalysis* best = nullptr;           // of all that our own runtime can run
};

ReportAnalysis Analyze(const Report& report);

// Whether a row is recommended, or the artifact's own: tables and plots mark it.
inline bool IsMarked(const ReportAnalysis& analysis, const RowAnalysis& row) {
  return &row == analysis.chosen || &row == analysis.best || &row == analysis.best_servable;
}

// Mean over the other texts of a row of its increase there; nothing if none was measured.
std::optional<double> MeanOtherIncrease(const RowAnalysis& row);

// The first measured row of a method in a group, full width of integers preferred; or null.
const RowAnalysis* FindMethod(const ReportAnalysis& analysis, absl::string_view method,
                              absl::string_view first_token);

// The dynamic per-token row that `row` is compared with: that of its own group, else of another
// one; null if there is none or it is the row itself.
const RowAnalysis* DynamicRowFor(const ReportAnalysis& analysis, const RowAnalysis& row);

// The untrained static row of the same group with the lowest perplexity, or null.
const RowAnalysis* BestUntrained(const ReportAnalysis& analysis, const RowAnalysis& row);

// How much more `row` loses against its own float row than `other` against its own, paired over
// windows. Nothing if their windows differ or a loss is not finite.
std::optional<PairedDifference> CompareRows(const RowAnalysis& row, const RowAnalysis& other);

inline bool IsSignificant(const PairedDifference& difference) {
  return difference.p_value < kSignificant;
}

// Whether the row's scales were trained: it has a curve, and sites with a scale to start from.
bool HasTrainedScales(const ComparisonRow& row);

// What training did to the scales of a row; sites are indices into row.sites.
struct TrainingAnalysis {
  size_t trained_count = 0;
  std::vector<size_t> by_gradient;  // trained sites, largest share of the gradient first
  double top_five_share = 0;        // of the squared gradient, 0..1
  size_t sites_for_most = 0;        // sites that carry 90% of it
  size_t moved_count = 0;           // by more than a factor of two
  size_t lowered_count = 0;         // of those, to a smaller scale
  std::vector<size_t> by_movement;  // trained sites, |log ratio| falling
  // Sites whose absmax is more than 20 times the median site's, largest first.
  std::vector<size_t> massive;
  // Those of them whose absmax falls below a quarter without first tokens.
  size_t massive_at_first_token = 0;
  // Share of the best untrained static row's excess loss over float that training took away; may be
  // negative. Nothing without such a row.
  std::optional<double> recovered;
};

TrainingAnalysis AnalyzeTraining(const ReportAnalysis& analysis, const RowAnalysis& row);

// Sites to look at more closely, at most `limit`: those with the largest share of the gradient and
// those that moved most, alternately.
std::vector<size_t> InterestingSites(const TrainingAnalysis& training, size_t limit);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_ANALYSIS_H_
