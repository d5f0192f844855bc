#include "quant/artifact/report_words.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "quant/artifact/report_format.h"

namespace sasq {
namespace {

std::string Name(const RowAnalysis& row) { return Code(row.row->name); }

double AsIncrease(double nats) { return std::expm1(nats); }

size_t WindowCount(const RowAnalysis& row) { return row.row->text.window_mean_loss.size(); }

// "significant, p = 0.003" or why it is not.
std::string SignificanceWords(const PairedDifference& difference, size_t window_count) {
  const std::string p_value = difference.p_value < 0.001
                                  ? "p < 0.001"
                                  : absl::StrCat("p = ", FormatPValue(difference.p_value));
  if (IsSignificant(difference)) return absl::StrCat("significant, ", p_value);
  if (window_count < kFewestWindows) {
    return absl::StrCat("not significant: ", window_count, " windows are too few to tell");
  }
  return absl::StrCat("not significant, ", p_value);
}

// How far the row is from the float model.
std::string FloatWords(const RowAnalysis& row) {
  std::string words =
      absl::StrCat("Its perplexity is ", FormatPerplexity(row.row->text.perplexity));
  if (!row.increase.has_value()) return absl::StrCat(words, "; no float row to compare it with.");
  absl::StrAppend(&words, ", **", FormatIncrease(*row.increase), "** against the float model's ",
                  FormatPerplexity(row.reference->text.perplexity), " on the same tokens");
  if (row.against_float.has_value()) {
    const Interval& interval = row.against_float->interval;
    absl::StrAppend(&words, " (95% interval ",
                    FormatIncreases(AsIncrease(interval.low), AsIncrease(interval.high)), "; ",
                    SignificanceWords(*row.against_float, WindowCount(row)), ")");
  }
  return absl::StrCat(words, ".");
}

// How the row compares with scales computed for each token.
std::string DynamicWords(const ReportAnalysis& analysis, const RowAnalysis& row) {
  const RowAnalysis* dynamic = DynamicRowFor(analysis, row);
  if (dynamic == nullptr) return "";
  const std::optional<PairedDifference> difference = CompareRows(row, *dynamic);
  if (!difference.has_value() || !dynamic->increase.has_value()) return "";
  const double change = AsIncrease(difference->mean_nats);
  return absl::StrCat(
      "Plain scales for each token (", Name(*dynamic), ") are at ",
      FormatIncrease(*dynamic->increase),
      dynamic->row->first_token == row.row->first_token ? "" : " against their own float row",
      ": this row is ", FormatShare(std::abs(change)), " ", change < 0 ? "better" : "worse", " (",
      SignificanceWords(*difference, WindowCount(row)), ").");
}

std::string OtherTextWords(const RowAnalysis& row) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < row.other_increases.size(); ++i) {
    if (!row.other_increases[i].has_value()) continue;
    texts.push_back(absl::StrCat(Code(row.row->other_texts[i].name), " ",
                                 FormatIncrease(*row.other_increases[i])));
  }
  if (texts.empty()) return "";
  return absl::StrCat("On other texts, against float: ", absl::StrJoin(texts, ", "), ".");
}

// What the row asks of the program that runs it.
std::string NeedWords(const ComparisonRow& row) {
  std::vector<std::string> needs;
  if (row.activations != "static") {
    needs.push_back("It computes a scale for every token at run time");
  } else if (row.dynamic_flop_share > 0) {
    needs.push_back(absl::StrCat("It computes a scale for every token in ",
                                 FormatShare(row.dynamic_flop_share),
                                 " of the linears' arithmetic"));
  } else {
    needs.push_back("It needs no work for scales at run time");
  }
  if (row.float_flop_share > 0) {
    needs.push_back(
        absl::StrCat(FormatShare(row.float_flop_share), " of the linears' arithmetic stays float"));
  }
  if (row.first_token == "float") needs.push_back("the first token of a sequence stays float");
  if (row.first_token == "prefix") {
    needs.push_back("every sequence follows a short prefix that is kept in float");
  }
  return absl::StrCat(absl::StrJoin(needs, "; "), ".");
}

// Rows that rank higher by less than a tie, and pay for scales at run time.
std::string TieWords(const ReportAnalysis& analysis, const RowAnalysis& row, bool servable_only) {
  std::vector<std::string> names;
  for (const RowAnalysis& other : analysis.rows) {
    if (other.row->activations != "dynamic" || other.collapsed || !other.row->failure.empty() ||
        (servable_only && !other.row->servable)) {
      continue;
    }
    if (!other.score.has_value() || !row.score.has_value()) continue;
    const double gain = *row.score - *other.score;
    if (gain > 0 && gain < kTieNats) names.push_back(Name(other));
  }
  if (names.empty() || row.row->activations != "static") return "";
  return absl::StrCat(absl::StrJoin(names, ", "), names.size() == 1 ? " is" : " are",
                      " better by less than 0.5% and would compute scales for every token.");
}

void AddWords(std::string words, std::vector<std::string>& sentences) {
  if (!words.empty()) sentences.push_back(std::move(words));
}

Advice AdviceFor(const ReportAnalysis& analysis, const RowAnalysis& row, std::string situation,
                 bool servable_only) {
  Advice advice{std::move(situation), &row, {}};
  AddWords(FloatWords(row), advice.sentences);
  AddWords(DynamicWords(analysis, row), advice.sentences);
  AddWords(OtherTextWords(row), advice.sentences);
  AddWords(NeedWords(*row.row), advice.sentences);
  AddWords(TieWords(analysis, row, servable_only), advice.sentences);
  return advice;
}

// Rows that satisfy `predicate`, such as "`a` (+310%), `b` (beyond range)".
template <typename Predicate>
std::vector<std::string> NamesWithIncrease(const ReportAnalysis& analysis, Predicate predicate) {
  std::vector<std::string> names;
  for (const RowAnalysis& row : analysis.rows) {
    if (!predicate(row)) continue;
    names.push_back(absl::StrCat(Name(row), " (",
                                 row.increase.has_value()
                                     ? FormatIncrease(*row.increase)
                                     : FormatPerplexity(row.row->text.perplexity),
                                 ")"));
  }
  return names;
}

// A row that was trained on text and beats float on the text of its domain only.
std::string AdaptationWords(const RowAnalysis& row) {
  if (!row.increase.has_value() || *row.increase >= 0) return "";
  const bool significant = row.against_float.has_value() && IsSignificant(*row.against_float);
  if (!significant && -*row.increase < kTieNats) return "";
  const std::optional<double> elsewhere = MeanOtherIncrease(row);
  const bool control = row.row->method == "fp_clipped";
  const std::string gain = FormatShare(-*row.increase);
  if (!elsewhere.has_value()) {
    if (!control) return "";
    return absl::StrCat("The control ", Name(row),
                        ", float with learned clips and no rounding, is ", gain,
                        " better than float on the evaluation text. No other text was "
                        "measured, so this cannot be told from adaptation to the text.");
  }
  if (*elsewhere <= *row.increase / 2) return "";
  return absl::StrCat(
      control ? "The control " : "", Name(row), control ? ", float with learned clips," : "",
      " is ", gain, " better than float on the evaluation text and ", FormatIncrease(*elsewhere),
      " on the mean of the other texts: what it gains is adaptation to the text",
      control ? ", and trained rows may owe as much to it." : ", not better quantization.");
}

}  // namespace

Advice ServingAdvice(const ReportAnalysis& analysis) {
  const std::string situation = "If a serving engine such as vLLM runs the model, use";
  if (analysis.best_servable != nullptr) {
    return AdviceFor(analysis, *analysis.best_servable, situation, true);
  }
  std::string words =
      std::any_of(analysis.rows.begin(), analysis.rows.end(),
                  [](const RowAnalysis& row) { return row.row->servable && row.measured; })
          ? "Every row that a serving engine could run has more than twice the float model's "
            "perplexity, failed, or has no float row beside it."
          : "No row of this report can be expressed for a serving engine.";
  return {situation, nullptr, {words, "Leave the model in floating point there."}};
}

Advice RuntimeAdvice(const ReportAnalysis& analysis) {
  const std::string situation = "If this project's own runtime runs it, use";
  if (analysis.best == nullptr) {
    return {situation, nullptr, {"No quantized row is usable: leave the model in floating point."}};
  }
  if (analysis.best == analysis.best_servable) {
    return {situation,
            analysis.best,
            {"The same row: nothing that only our own runtime can do ranks higher here."}};
  }
  return AdviceFor(analysis, *analysis.best, situation, false);
}

std::optional<Advice> ArtifactAdvice(const ReportAnalysis& analysis) {
  if (analysis.chosen == nullptr) return std::nullopt;
  const RowAnalysis& chosen = *analysis.chosen;
  const std::string situation = "This artifact holds the scales of";
  if (!chosen.measured) return Advice{situation, &chosen, {"The row could not be measured."}};
  if (&chosen == analysis.best || &chosen == analysis.best_servable) {
    return Advice{situation, &chosen, {"The row that is recommended here."}};
  }
  Advice advice = AdviceFor(analysis, chosen, situation, false);
  const RowAnalysis* better = chosen.row->servable && analysis.best_servable != nullptr
                                  ? analysis.best_servable
                                  : analysis.best;
  if (better != nullptr) {
    advice.sentences.push_back(
        absl::StrCat(Name(*better), " ranks higher here and is **recommended instead**."));
  }
  return advice;
}

std::string GatesTitle(const Report& report) {
  return IsRejected(report) ? "Rejected by its quality gates" : "Quality gates: passed";
}

std::vector<std::string> GateWords(const Report& report) {
  std::vector<std::string> words;
  for (const GateVerdict& gate : report.gates) {
    words.push_back(absl::StrCat(gate.passed ? "Passed: " : "**Failed:** ", Code(gate.words), "."));
  }
  return words;
}

std::vector<std::string> WarningWords(const ReportAnalysis& analysis) {
  std::vector<std::string> words;
  size_t window_count = 0;
  for (const RowAnalysis& row : analysis.rows) {
    window_count = std::max(window_count, WindowCount(row));
    if (row.row->failure.empty()) continue;
    words.push_back(absl::StrCat(
        Name(row), row.measured ? " is not what was asked for: " : " could not be measured: ",
        Code(row.row->failure)));
  }
  const std::vector<std::string> collapsed = NamesWithIncrease(
      analysis, [](const RowAnalysis& row) { return row.collapsed && row.row->failure.empty(); });
  if (!collapsed.empty()) {
    words.push_back(absl::StrCat(
        collapsed.size() == 1 ? "One row is unusable" : "Some rows are unusable",
        ", with more than twice the float model's perplexity: ", absl::StrJoin(collapsed, ", "),
        "."));
  }
  for (const RowAnalysis& row : analysis.rows) AddWords(AdaptationWords(row), words);
  if (window_count > 0 && window_count < kFewestWindows) {
    words.push_back(absl::StrCat(
        "The evaluation has ", Counted(static_cast<int64_t>(window_count), "window"),
        ": no difference between rows can be significant with fewer than ", kFewestWindows, "."));
  }
  return words;
}

}  // namespace sasq
