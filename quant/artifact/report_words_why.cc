// Words about causes and costs; report_words.cc says which row to use.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

std::string Name(const RowAnalysis& row) { return Code(row.row->name); }

std::string SiteNames(const std::vector<SiteReport>& sites, const std::vector<size_t>& indices,
                      size_t limit) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min(limit, indices.size()); ++i) {
    names.push_back(Code(SiteName(sites[indices[i]].site)));
  }
  return absl::StrJoin(names, ", ");
}

std::string GradientWords(const std::vector<SiteReport>& sites, const TrainingAnalysis& training) {
  if (training.top_five_share <= 0 || training.trained_count <= 5) return "";
  const bool few = training.top_five_share >= 0.5;
  return absl::StrCat(
      few ? "Few sites carry the gradient: " : "The gradient is spread: ", "the first five of ",
      training.trained_count, " hold **", FormatShare(training.top_five_share), "** of it (",
      SiteNames(sites, training.by_gradient, 5), "), ", training.sites_for_most, " hold 90%.");
}

std::string MovementWords(const std::vector<SiteReport>& sites, const TrainingAnalysis& training) {
  const SiteReport& most = sites[training.by_movement.front()];
  std::string words = absl::StrCat(
      training.moved_count == 0 ? std::string("None") : absl::StrCat(training.moved_count), " of ",
      training.trained_count, " scales moved by more than a factor of two");
  if (training.moved_count > 0) {
    absl::StrAppend(&words, ", ",
                    training.lowered_count == training.moved_count
                        ? std::string("all")
                        : absl::StrCat(training.lowered_count),
                    " of them down, which clips more and rounds finer");
  }
  absl::StrAppendFormat(&words, ". %s moved most, from %.4g to %.4g (%.2f times).",
                        Code(SiteName(most.site)), most.initial_scale, most.scale,
                        most.scale / most.initial_scale);
  return words;
}

std::string MassiveWords(const std::vector<SiteReport>& sites, const TrainingAnalysis& training) {
  if (training.massive.empty()) {
    return "No site's activations are more than 20 times larger than the median site's: one scale "
           "per site has little to hold apart.";
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < std::min<size_t>(training.massive.size(), 4); ++i) {
    const SiteReport& site = sites[training.massive[i]];
    const bool is_static = site.precision == "static" || site.precision == "clipped";
    names.push_back(absl::StrFormat(
        "%s up to %.4g, without first tokens %.4g%s", Code(SiteName(site.site)), site.absmax,
        site.absmax_without_first, is_static ? "" : absl::StrCat(" (", site.precision, " here)")));
  }
  std::string words = absl::StrCat(
      Counted(static_cast<int64_t>(training.massive.size()), "site"),
      training.massive.size() == 1 ? " has" : " have",
      " activations more than 20 times larger than the median site's: ", absl::StrJoin(names, "; "),
      training.massive.size() > names.size() ? "; and others" : "", ".");
  if (training.massive_at_first_token > 0) {
    absl::StrAppend(&words, training.massive_at_first_token == training.massive.size()
                                ? " The first token alone carries them."
                                : absl::StrCat(" In ", training.massive_at_first_token,
                                               " of them the first token alone carries them."));
  }
  return words;
}

std::string GapWords(const ReportAnalysis& analysis, const RowAnalysis& row) {
  if (!row.increase.has_value()) return "";
  std::string words =
      absl::StrCat("The row is at ", FormatIncrease(*row.increase), " against float");
  const RowAnalysis* dynamic = DynamicRowFor(analysis, row);
  if (dynamic != nullptr && dynamic->increase.has_value()) {
    const double gap = (1 + *row.increase) / (1 + *dynamic->increase) - 1;
    absl::StrAppend(&words, ", and at ", FormatIncrease(gap), " against scales for each token (",
                    Name(*dynamic), ")");
  }
  return absl::StrCat(words, ".");
}

// Whether the row differs from a calibrated static one in more than the training.
bool HasOtherMeans(const ComparisonRow& row) {
  return !row.description.empty() || row.float_flop_share > 0;
}

// What is in the way of a row that training did not bring to float.
std::string ObstacleWords(const RowAnalysis& row, const TrainingAnalysis& training) {
  if (training.massive_at_first_token > 0 && row.row->first_token == "quantized") {
    return ": one scale has to hold both the first token's massive activations and ordinary ones. "
           "Rotations, a prefix or a float first token separate them.";
  }
  if (!training.massive.empty()) {
    return ": one scale has to hold both rare large activations and ordinary ones. Rotations or "
           "leaving those sites in float separate them.";
  }
  return ".";
}

std::string VerdictWords(const RowAnalysis& row, const TrainingAnalysis& training) {
  if (!row.increase.has_value()) return "";
  const bool other_means = HasOtherMeans(*row.row);
  const std::string subject =
      other_means ? "**Training scales, with the rest of this recipe," : "**Scale-only training";
  const bool above =
      *row.increase > 0 && (!row.against_float.has_value() || IsSignificant(*row.against_float));
  if (*row.increase < 0.01) {
    return absl::StrCat(subject, " works here:** ", above ? "less than 1%" : "no significant loss",
                        " against float is left.");
  }
  if (other_means || !training.recovered.has_value()) {
    return absl::StrCat(subject, " leaves ", FormatIncrease(*row.increase), "** against float.");
  }
  if (*training.recovered < 0.1) {
    return absl::StrCat(subject, " hardly helps here**", ObstacleWords(row, training));
  }
  return absl::StrCat(subject, " helps here and is not enough alone**",
                      ObstacleWords(row, training));
}

// How much of the loss of calibrated scales is gone, and by what.
std::string RecoveryWords(const ReportAnalysis& analysis, const RowAnalysis& row,
                          const TrainingAnalysis& training) {
  if (!training.recovered.has_value()) return "";
  const RowAnalysis& untrained = *BestUntrained(analysis, row);
  const std::string loss =
      absl::StrCat("what the best calibrated static row loses (", Name(untrained), ", ",
                   FormatIncrease(*untrained.increase), ")");
  if (*training.recovered < 0) return absl::StrCat("It loses more than ", loss, ".");
  return absl::StrCat("It took away **", FormatShare(*training.recovered), "** of ", loss,
                      HasOtherMeans(*row.row) ? ", not by training alone." : ".");
}

std::optional<double> PerToken(double total, int64_t token_count) {
  if (total <= 0 || token_count <= 0) return std::nullopt;
  return total / token_count;
}

const ComparisonRow* LlmQatRow(const ReportAnalysis& analysis) {
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row->method == "llm_qat" && row.row->cost.training_token_count > 0) return row.row;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> AblationWords(const ReportAnalysis& analysis,
                                       absl::string_view first_token) {
  const RowAnalysis* clipped = FindMethod(analysis, "fp_clipped", first_token);
  if (clipped == nullptr || !clipped->increase.has_value()) return {};
  std::vector<std::string> words;
  const bool gains = *clipped->increase < 0;
  const std::optional<double> elsewhere = MeanOtherIncrease(*clipped);
  words.push_back(absl::StrCat(
      "**Clipping alone** (", Name(*clipped), ": learned clips, float weights, nothing rounded) ",
      gains ? "gains " : "costs ", FormatShare(std::abs(*clipped->increase)),
      elsewhere.has_value()
          ? absl::StrCat(" on the evaluation text; on the mean of the other texts it is at ",
                         FormatIncrease(*elsewhere), ".")
          : std::string(" on the evaluation text.")));
  const RowAnalysis* untrained = BestUntrained(analysis, *clipped);
  const RowAnalysis* dynamic = FindMethod(analysis, "rtn_dynamic", first_token);
  const RowAnalysis* trained = FindMethod(analysis, "sasq", first_token);
  if (trained != nullptr && trained->increase.has_value()) {
    const double rounding = (1 + *trained->increase) / (1 + *clipped->increase) - 1;
    words.push_back(
        absl::StrCat("**Clipping and rounding** with trained scales (", Name(*trained), ") are at ",
                     FormatIncrease(*trained->increase), ": rounding makes ",
                     FormatIncrease(rounding), " of perplexity over clipping alone, so ",
                     std::abs(rounding) > std::abs(*clipped->increase) ? "rounding" : "clipping",
                     " decides the result."));
  }
  if (untrained != nullptr) {
    words.push_back(absl::StrCat("Scales that were only calibrated (", Name(*untrained),
                                 ") are at ", FormatIncrease(*untrained->increase), "."));
  }
  if (dynamic != nullptr && dynamic->increase.has_value()) {
    words.push_back(absl::StrCat("**Rounding without clipping**, a scale for each token (",
                                 Name(*dynamic), "), is at ", FormatIncrease(*dynamic->increase),
                                 ": what is beyond that comes from one scale for all tokens."));
  }
  return words;
}

std::vector<std::string> TrainingWords(const ReportAnalysis& analysis, const RowAnalysis& row) {
  if (!HasTrainedScales(*row.row)) return {};
  const std::vector<SiteReport>& sites = row.row->sites;
  const TrainingAnalysis training = AnalyzeTraining(analysis, row);
  std::vector<std::string> words;
  const auto add = [&words](std::string sentence) {
    if (!sentence.empty()) words.push_back(std::move(sentence));
  };
  if (row.row->method != "fp_clipped") {  // a control that takes part in no contest
    add(VerdictWords(row, training));
    add(RecoveryWords(analysis, row, training));
    add(GapWords(analysis, row));
  }
  add(GradientWords(sites, training));
  add(MovementWords(sites, training));
  add(MassiveWords(sites, training));
  return words;
}

CostRatio CostAgainstLlmQat(const ReportAnalysis& analysis, const ComparisonRow& row) {
  const ComparisonRow* llm_qat = LlmQatRow(analysis);
  if (llm_qat == nullptr) return {};
  const auto ratio = [](std::optional<double> value, std::optional<double> other) {
    return value.has_value() && other.has_value() ? std::optional<double>(*value / *other)
                                                  : std::nullopt;
  };
  const RowCost& cost = row.cost;
  const RowCost& other = llm_qat->cost;
  return {ratio(PerToken(cost.training_cpu_seconds, cost.training_token_count),
                PerToken(other.training_cpu_seconds, other.training_token_count)),
          ratio(PerToken(cost.training_flop_count, cost.training_token_count),
                PerToken(other.training_flop_count, other.training_token_count))};
}

std::vector<std::string> CostWords(const ReportAnalysis& analysis) {
  const ComparisonRow* llm_qat = LlmQatRow(analysis);
  if (llm_qat == nullptr) return {};
  std::vector<std::string> words;
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row->method != "sasq") continue;
    const CostRatio ratio = CostAgainstLlmQat(analysis, *row.row);
    if (!ratio.cpu_seconds.has_value() || !ratio.flops.has_value()) continue;
    words.push_back(absl::StrFormat(
        "A training token of %s costs **%.2f times** the processor time and **%.2f times** the "
        "arithmetic of one of %s, and what is trained is %s instead of %s.",
        Name(row), *ratio.cpu_seconds, *ratio.flops, Code(llm_qat->name),
        FormatBytes(row.row->cost.trained_bytes), FormatBytes(llm_qat->cost.trained_bytes)));
    break;
  }
  return words;
}

}  // namespace sasq
