#include "quant/artifact/report_tables.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_format.h"
#include "quant/artifact/report_words.h"

namespace sasq {
namespace {

constexpr std::array<absl::string_view, 3> kGroups = {"quantized", "float", "prefix"};

// A column and how a row fills it; an empty text means that the row has no figure.
struct Column {
  std::string title;
  std::function<ReportCell(const RowAnalysis&)> cell;
  bool numeric = true;
};

// A row's name, and below it what the row is.
ReportCell DescribedName(const ReportAnalysis& analysis, const RowAnalysis& row) {
  ReportCell cell{Code(row.row->name), MethodLabel(row.row->method)};
  if (!row.row->description.empty()) absl::StrAppend(&cell.detail, ", ", row.row->description);
  if (&row == analysis.chosen) absl::StrAppend(&cell.detail, " \u00b7 **this artifact**");
  if (&row == analysis.best_servable) absl::StrAppend(&cell.detail, " \u00b7 **best for serving**");
  if (&row == analysis.best && analysis.best != analysis.best_servable) {
    absl::StrAppend(&cell.detail, " \u00b7 **best of all**");
  }
  if (!row.row->failure.empty()) absl::StrAppend(&cell.detail, " \u00b7 **failed**");
  return cell;
}

ReportCell PlainName(const RowAnalysis& row) { return {Code(row.row->name)}; }

// The columns that have a figure, for all rows in groups; what rows are is said in one table only.
ReportTable MakeTable(const ReportAnalysis& analysis, std::string title, std::string note,
                      const std::vector<Column>& columns,
                      const std::function<ReportCell(const RowAnalysis&)>& name = PlainName) {
  ReportTable table{std::move(title), std::move(note), {{"Row", false}}, {}};
  std::vector<const Column*> used;
  for (const Column& column : columns) {
    const bool has_figure =
        std::any_of(analysis.rows.begin(), analysis.rows.end(),
                    [&](const RowAnalysis& row) { return !column.cell(row).text.empty(); });
    if (!has_figure) continue;
    used.push_back(&column);
    table.columns.push_back({column.title, column.numeric});
  }
  if (used.empty()) return table;
  const auto append = [&](absl::string_view title_of_group, const auto& belongs) {
    bool titled = false;
    for (const RowAnalysis& row : analysis.rows) {
      if (!belongs(row)) continue;
      if (!titled) table.rows.push_back({std::string(title_of_group)});
      titled = true;
      TableRow added{"", IsMarked(analysis, row), {name(row)}};
      for (const Column* column : used) {
        ReportCell cell = column->cell(row);
        if (cell.text.empty()) cell.text = kNoFigure;
        added.cells.push_back(std::move(cell));
      }
      table.rows.push_back(std::move(added));
    }
  };
  for (absl::string_view group : kGroups) {
    append(GroupTitle(group),
           [&](const RowAnalysis& row) { return row.row->first_token == group; });
  }
  append("Other rows", [](const RowAnalysis& row) {
    return std::find(kGroups.begin(), kGroups.end(), row.row->first_token) == kGroups.end();
  });
  return table;
}

ReportCell Perplexity(double perplexity) {
  return {perplexity == 0 ? "" : FormatPerplexity(perplexity)};
}

ReportCell PerplexityRange(const std::optional<Interval>& interval) {
  if (!interval.has_value()) return {""};
  return {absl::StrCat(FormatPerplexity(interval->low), " to ", FormatPerplexity(interval->high))};
}

// The increase over float with a bar; unusable rows fill it.
ReportCell Increase(const RowAnalysis& row, double widest) {
  if (row.row == row.reference) return {"reference"};
  if (row.collapsed && !row.increase.has_value()) return {"collapsed", "", 1.0};
  if (!row.increase.has_value()) return {""};
  return {FormatIncrease(*row.increase), "", std::clamp(*row.increase / widest, 0.0, 1.0)};
}

// What fills the bar: the largest increase of a usable row.
double WidestIncrease(const ReportAnalysis& analysis) {
  double widest = 0.01;
  for (const RowAnalysis& row : analysis.rows) {
    if (row.increase.has_value() && !row.collapsed) widest = std::max(widest, *row.increase);
  }
  return widest;
}

// Names of a per-row list, in the order of their first appearance.
template <typename List>
std::vector<std::string> NamesOf(const ReportAnalysis& analysis, List list) {
  std::vector<std::string> names;
  for (const RowAnalysis& row : analysis.rows) {
    for (const auto& item : list(*row.row)) {
      if (std::find(names.begin(), names.end(), item.name) == names.end()) {
        names.push_back(item.name);
      }
    }
  }
  return names;
}

ReportCell OtherText(const RowAnalysis& row, const std::string& name) {
  for (size_t i = 0; i < row.row->other_texts.size(); ++i) {
    const TextResult& text = row.row->other_texts[i];
    if (text.name != name) continue;
    ReportCell cell = Perplexity(text.perplexity);
    if (row.row != row.reference && row.other_increases[i].has_value()) {
      cell.text = FormatIncrease(*row.other_increases[i]);
      cell.detail = FormatPerplexity(text.perplexity);
    }
    return cell;
  }
  return {""};
}

ReportCell Ratio(const std::optional<double>& ratio) {
  return {ratio.has_value() ? absl::StrFormat("%.2f\u00d7", *ratio) : ""};
}

}  // namespace

std::string GroupTitle(absl::string_view first_token) {
  if (first_token == "quantized") return "Every token quantized";
  if (first_token == "float") return "First token of each window in float, and not scored";
  if (first_token == "prefix") return "After a short prefix in float, which is not scored";
  return Code(first_token);
}

ReportTable QualityTable(const ReportAnalysis& analysis) {
  const double widest = WidestIncrease(analysis);
  return MakeTable(
      analysis, "Perplexity",
      "Lower is better. Each row is compared with the float model on the same tokens. Intervals "
      "are "
      "95%, by bootstrap over windows; p is that of a paired test over windows: below 0.05 the "
      "difference from float is called significant. The interval of the difference is narrower "
      "than "
      "that of the perplexity, because hard windows are hard for both.",
      {{"Perplexity", [](const RowAnalysis& row) { return Perplexity(row.row->text.perplexity); }},
       {"95% interval",
        [](const RowAnalysis& row) { return PerplexityRange(row.row->text.interval); }},
       {"Against float", [&](const RowAnalysis& row) { return Increase(row, widest); }},
       {"Its 95% interval",
        [](const RowAnalysis& row) -> ReportCell {
          if (!row.against_float.has_value()) return {""};
          const Interval& interval = row.against_float->interval;
          return {FormatIncreases(std::expm1(interval.low), std::expm1(interval.high))};
        }},
       {"p",
        [](const RowAnalysis& row) -> ReportCell {
          if (!row.against_float.has_value()) return {""};
          return {FormatPValue(row.against_float->p_value)};
        }}},
      [&](const RowAnalysis& row) { return DescribedName(analysis, row); });
}

ReportTable OtherTextsTable(const ReportAnalysis& analysis) {
  std::vector<Column> columns;
  for (const std::string& name :
       NamesOf(analysis, [](const ComparisonRow& row) { return row.other_texts; })) {
    columns.push_back(
        {Code(name), [name](const RowAnalysis& row) { return OtherText(row, name); }});
  }
  return MakeTable(
      analysis, "Other texts",
      "Perplexity on text from elsewhere, against the float model on the same tokens. "
      "A gain that shows on the evaluation text and not here is adaptation to its text.",
      columns);
}

ReportTable BehaviourTable(const ReportAnalysis& analysis) {
  const auto generation = [](auto format) {
    return [format](const RowAnalysis& row) -> ReportCell {
      if (!row.row->generation.has_value()) return {""};
      return {format(*row.row->generation)};
    };
  };
  return MakeTable(
      analysis, "Decoding and behaviour",
      "Decode: perplexity of tokens that are computed one by one over the keys and values of the "
      "row's prefill, with dynamic scales, as a server does. KL divergence and top-1 agreement "
      "compare predictions with the float model's. Generation compares greedy answers with the "
      "float model's; repetition is the share of 4-grams that an answer has said before.",
      {{"Decode perplexity",
        [](const RowAnalysis& row) { return Perplexity(row.row->decode_perplexity.value_or(0)); }},
       {"KL divergence",
        [](const RowAnalysis& row) -> ReportCell {
          const std::optional<double>& kl = row.row->kl_divergence;
          return {kl.has_value() ? absl::StrFormat("%.4f", *kl) : ""};
        }},
       {"Top-1 agreement",
        [](const RowAnalysis& row) -> ReportCell {
          const std::optional<double>& top1 = row.row->top1_agreement;
          return {top1.has_value() ? FormatShare(*top1) : ""};
        }},
       {"Same tokens",
        generation([](const GenerationResult& result) { return FormatShare(result.agreement); })},
       {"Tokens until different", generation([](const GenerationResult& result) {
          return absl::StrFormat("%.1f", result.tokens_until_divergence);
        })},
       {"Repetition", generation([](const GenerationResult& result) {
          return FormatShare(result.repetition);
        })}});
}

ReportTable TasksTable(const ReportAnalysis& analysis) {
  std::vector<Column> columns;
  for (const std::string& name :
       NamesOf(analysis, [](const ComparisonRow& row) { return row.tasks; })) {
    columns.push_back({Code(name), [name](const RowAnalysis& row) -> ReportCell {
                         for (const TaskAccuracy& task : row.row->tasks) {
                           if (task.name != name) continue;
                           return {FormatShare(task.accuracy),
                                   absl::StrCat(FormatShare(task.normalized_accuracy), " of ",
                                                FormatCount(task.question_count))};
                         }
                         return {""};
                       }});
  }
  return MakeTable(
      analysis, "Tasks",
      "Share of questions answered rightly: the choice of greatest log-likelihood. "
      "Below it the same with log-likelihoods divided by the choices' lengths, and the "
      "number of questions.",
      columns);
}

ReportTable ServingTable(const ReportAnalysis& analysis) {
  return MakeTable(
      analysis, "What a row asks of the program that runs it",
      "A serving engine is one that reads compressed-tensors, such as vLLM.",
      {{"Serving engine",
        [](const RowAnalysis& row) -> ReportCell {
          if (row.row->activations == "float") return {""};
          return {row.row->servable ? "\u2713 yes" : "no"};
        }},
       {"Activations", [](const RowAnalysis& row) -> ReportCell { return {row.row->activations}; },
        false},
       {"Bits, weights / activations",
        [](const RowAnalysis& row) -> ReportCell {
          if (row.row->activations == "float") return {""};
          return {absl::StrCat(row.row->weight_bits, " / ", row.row->activation_bits)};
        }},
       {"Arithmetic left in float",
        [](const RowAnalysis& row) -> ReportCell {
          return {row.row->activations == "float" ? "" : FormatShare(row.row->float_flop_share)};
        }},
       {"With a scale per token", [](const RowAnalysis& row) -> ReportCell {
          return {row.row->activations == "float" ? "" : FormatShare(row.row->dynamic_flop_share)};
        }}});
}

ReportTable CostTable(const ReportAnalysis& analysis) {
  const auto cost = [](auto format) {
    return [format](const RowAnalysis& row) -> ReportCell { return {format(row.row->cost)}; };
  };
  const bool has_energy =
      std::any_of(analysis.rows.begin(), analysis.rows.end(),
                  [](const RowAnalysis& row) { return row.row->cost.joules.has_value(); });
  return MakeTable(
      analysis, "Cost of each row",
      absl::StrCat("Preparation and evaluation together. Arithmetic is counted from shapes, a "
                   "multiply-add as two. A ratio to LLM-QAT is that of training, per token.",
                   has_energy ? "" : " Energy is not measurable here."),
      {{"Wall time", cost([](const RowCost& row) { return FormatSeconds(row.wall_seconds); })},
       {"CPU time", cost([](const RowCost& row) { return FormatSeconds(row.cpu_seconds); })},
       {"Arithmetic", cost([](const RowCost& row) { return FormatFlops(row.flop_count); })},
       {"Peak memory", cost([](const RowCost& row) { return FormatBytes(row.peak_memory_bytes); })},
       {"Energy", cost([](const RowCost& row) {
          return row.joules.has_value() ? absl::StrFormat("%.0f J", *row.joules) : std::string();
        })},
       {"Training tokens", cost([](const RowCost& row) {
          return row.training_token_count > 0 ? FormatCount(row.training_token_count)
                                              : std::string();
        })},
       {"Trained", cost([](const RowCost& row) {
          return row.trained_bytes > 0 ? FormatBytes(row.trained_bytes) : std::string();
        })},
       {"CPU / LLM-QAT",
        [&](const RowAnalysis& row) {
          return Ratio(CostAgainstLlmQat(analysis, *row.row).cpu_seconds);
        }},
       {"Arithmetic / LLM-QAT", [&](const RowAnalysis& row) {
          return Ratio(CostAgainstLlmQat(analysis, *row.row).flops);
        }}});
}

ReportTable AblationTable(const ReportAnalysis& analysis, absl::string_view first_token) {
  struct Step {
    absl::string_view method;
    absl::string_view clipping;
    absl::string_view rounding;
  };
  static constexpr std::array<Step, 7> kSteps = {
      {{"fp", "none", "none"},
       {"fp_clipped", "learned", "none"},
       {"rtn_dynamic", "none", "a step for each token"},
       {"static_absmax", "beyond calibration's largest", "one step per site"},
       {"static_percentile", "a percentile", "one step per site"},
       {"static_mse", "of least squared error", "one step per site"},
       {"sasq", "learned", "one step per site, learned"}}};
  ReportTable table{
      "Clipping and rounding apart",
      "",
      {{"Row", false}, {"Clipping", false}, {"Rounding", false}, {"Perplexity"}, {"Against float"}},
      {}};
  if (FindMethod(analysis, "fp_clipped", first_token) == nullptr) return table;
  const double widest = WidestIncrease(analysis);
  for (const Step& step : kSteps) {
    const RowAnalysis* row = FindMethod(analysis, step.method, first_token);
    if (row == nullptr) continue;
    ReportCell increase = Increase(*row, widest);
    if (increase.text.empty()) increase.text = kNoFigure;
    table.rows.push_back({"",
                          false,
                          {{Code(row->row->name)},
                           {std::string(step.clipping)},
                           {std::string(step.rounding)},
                           Perplexity(row->row->text.perplexity),
                           std::move(increase)}});
  }
  return table;
}

}  // namespace sasq
