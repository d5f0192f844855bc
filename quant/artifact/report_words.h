// Sentences made from the numbers, for people who know neither the methods nor the tables. Text
// with the marks of report_format.h.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_WORDS_H_
#define SASQ_QUANT_ARTIFACT_REPORT_WORDS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "quant/artifact/report_analysis.h"

namespace sasq {

// Which row to use in one situation, and why.
struct Advice {
  std::string situation;             // "If a serving engine such as vLLM runs the model, use"
  const RowAnalysis* row = nullptr;  // null: none is usable
  std::vector<std::string> sentences;
};

Advice ServingAdvice(const ReportAnalysis& analysis);  // rows that serving engines can run
Advice RuntimeAdvice(const ReportAnalysis& analysis);  // all rows
// The row whose scales the artifact holds; nothing in a comparison.
std::optional<Advice> ArtifactAdvice(const ReportAnalysis& analysis);

// What the quality gates said: a title, and a sentence for each. Not for reports without gates.
std::string GatesTitle(const Report& report);
std::vector<std::string> GateWords(const Report& report);

// What a reader must know before believing the figures: collapsed and diverged rows, gains that are
// adaptation to the text, too few windows. May be empty.
std::vector<std::string> WarningWords(const ReportAnalysis& analysis);

// What clipping and rounding cost apart, in one group of rows. Empty without a `fp_clipped` row.
std::vector<std::string> AblationWords(const ReportAnalysis& analysis,
                                       absl::string_view first_token);

// Why training the scales alone works in this row, or does not. Empty if they were not trained.
std::vector<std::string> TrainingWords(const ReportAnalysis& analysis, const RowAnalysis& row);

// What training cost beside `llm_qat`. Empty without such a row.
std::vector<std::string> CostWords(const ReportAnalysis& analysis);

// A row's training cost per token over that of `llm_qat`. Nothing where either is not known.
struct CostRatio {
  std::optional<double> cpu_seconds;
  std::optional<double> flops;
};
CostRatio CostAgainstLlmQat(const ReportAnalysis& analysis, const ComparisonRow& row);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_WORDS_H_
