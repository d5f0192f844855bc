#include "client/comparison.h"

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/enum_names.h"
#include "client/text.h"

namespace sasq {
namespace {

v1::FirstToken FirstTokenOf(v1::FirstToken first_token) {
  return first_token == v1::FIRST_TOKEN_UNSPECIFIED ? v1::FIRST_TOKEN_QUANTIZED : first_token;
}

bool ScoredAlike(const v1::ReportRow& a, const v1::ReportRow& b) {
  return FirstTokenOf(a.first_token()) == FirstTokenOf(b.first_token());
}

std::string RatioText(double ratio) { return ratio > 0 ? absl::StrFormat("%.3f", ratio) : "-"; }

TextColor ColorOf(const v1::Job& job, const v1::ReportRow& row) {
  if (IsRecipeRow(job, row)) return TextColor::kGreen;
  return row.method() == v1::METHOD_FP ? TextColor::kDim : TextColor::kPlain;
}

absl::Duration SecondsOf(const v1::ReportRow& row) {
  return absl::Seconds(row.evaluation_seconds() + row.preparation_seconds());
}

}  // namespace

double RatioToFloat(const v1::Job& job, const v1::ReportRow& row) {
  for (const v1::ReportRow& other : job.rows()) {
    if (other.method() == v1::METHOD_FP && ScoredAlike(other, row) && other.perplexity() > 0) {
      return row.perplexity() / other.perplexity();
    }
  }
  return 0;
}

bool IsRecipeRow(const v1::Job& job, const v1::ReportRow& row) {
  return job.spec().has_recipe() && row.name() == job.spec().recipe().name();
}

namespace {

// A column of the table that is shown if a row has something to say.
struct OptionalColumn {
  std::string title;
  std::function<std::string(const v1::ReportRow&)> text;  // empty: nothing
};

std::vector<OptionalColumn> OptionalColumns(const v1::Job& job) {
  std::vector<OptionalColumn> columns;
  columns.push_back({"95% interval", [](const v1::ReportRow& row) {
                       if (!row.has_perplexity_low()) return std::string();
                       return absl::StrCat(PerplexityText(row.perplexity_low()), "..",
                                           PerplexityText(row.perplexity_high()));
                     }});
  for (int i = 0; i < job.spec().evaluation().other_texts_size(); ++i) {
    columns.push_back(
        {job.spec().evaluation().other_texts(i).name(), [i](const v1::ReportRow& row) {
           return i < row.other_texts_size() ? PerplexityText(row.other_texts(i).perplexity())
                                             : std::string();
         }});
  }
  columns.push_back({"decode", [](const v1::ReportRow& row) {
                       return row.has_decode_perplexity() ? PerplexityText(row.decode_perplexity())
                                                          : std::string();
                     }});
  columns.push_back({"KL", [](const v1::ReportRow& row) {
                       return row.has_kl_divergence() ? absl::StrFormat("%.4f", row.kl_divergence())
                                                      : std::string();
                     }});
  columns.push_back({"top-1", [](const v1::ReportRow& row) {
                       return row.has_top1_agreement()
                                  ? absl::StrFormat("%.1f%%", 100 * row.top1_agreement())
                                  : std::string();
                     }});
  columns.push_back({"in float", [](const v1::ReportRow& row) {
                       return row.float_flop_share() > 0
                                  ? absl::StrFormat("%.1f%%", 100 * row.float_flop_share())
                                  : std::string();
                     }});
  columns.push_back({"dynamic", [](const v1::ReportRow& row) {
                       return row.dynamic_flop_share() > 0
                                  ? absl::StrFormat("%.1f%%", 100 * row.dynamic_flop_share())
                                  : std::string();
                     }});
  const auto is_empty = [&job](const OptionalColumn& column) {
    return std::all_of(job.rows().begin(), job.rows().end(),
                       [&](const v1::ReportRow& row) { return column.text(row).empty(); });
  };
  columns.erase(std::remove_if(columns.begin(), columns.end(), is_empty), columns.end());
  return columns;
}

std::string PerplexityCell(const v1::ReportRow& row) {
  return row.perplexity() > 0 ? PerplexityText(row.perplexity()) : "failed";
}

}  // namespace

Table ComparisonTable(const v1::Job& job) {
  using Align = Table::Align;
  const std::vector<OptionalColumn> optional = OptionalColumns(job);
  std::vector<Table::Column> columns = {
      {"row", Align::kLeft}, {"perplexity", Align::kRight}, {"ratio to fp", Align::kRight}};
  for (const OptionalColumn& column : optional) columns.push_back({column.title, Align::kRight});
  columns.push_back({"tokens", Align::kRight});
  columns.push_back({"time", Align::kRight});
  Table table(columns);
  for (const v1::FirstToken group :
       {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT, v1::FIRST_TOKEN_PREFIX}) {
    bool is_first_of_group = true;
    for (const v1::ReportRow& row : job.rows()) {
      if (FirstTokenOf(row.first_token()) != group) continue;
      if (is_first_of_group && !table.empty()) table.AddRule();
      is_first_of_group = false;
      const TextColor color = ColorOf(job, row);
      std::vector<TableCell> cells = {{CleanLine(row.name()), color},
                                      {PerplexityCell(row), color},
                                      {RatioText(RatioToFloat(job, row)), color}};
      for (const OptionalColumn& column : optional) {
        const std::string text = column.text(row);
        cells.push_back({text.empty() ? "-" : text, color});
      }
      cells.push_back({absl::StrCat(row.token_count()), color});
      cells.push_back({DurationText(SecondsOf(row)), color});
      table.AddRow(std::move(cells));
    }
  }
  return table;
}

std::string FailureLines(const v1::Job& job) {
  std::string lines;
  for (const v1::ReportRow& row : job.rows()) {
    if (row.failure().empty()) continue;
    absl::StrAppend(&lines, CleanLine(row.name()), ": ", CleanLine(row.failure()), "\n");
  }
  return lines;
}

std::string DescribeRow(const v1::Job& job, const v1::ReportRow& row) {
  std::string text = absl::StrCat(CleanLine(row.name()), ": ");
  if (row.perplexity() > 0) {
    absl::StrAppend(&text, "perplexity ", PerplexityText(row.perplexity()));
    const double ratio = RatioToFloat(job, row);
    if (ratio > 0 && row.method() != v1::METHOD_FP) {
      absl::StrAppend(&text, absl::StrFormat(", %.3f x fp", ratio));
    }
    absl::StrAppend(&text, ", ", DurationText(SecondsOf(row)));
  }
  if (!row.failure().empty()) {
    absl::StrAppend(&text, row.perplexity() > 0 ? "; " : "", CleanLine(row.failure()));
  }
  return text;
}

}  // namespace sasq
