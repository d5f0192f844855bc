#include "client/comparison.h"

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

// The float model has no quantized token; its two rows differ in what is scored.
std::string FirstTokenText(const v1::ReportRow& row) {
  const v1::FirstToken first_token = FirstTokenOf(row.first_token());
  if (row.method() == v1::METHOD_FP) {
    return first_token == v1::FIRST_TOKEN_FLOAT ? "not scored" : "scored";
  }
  return ShortEnumName(v1::FirstToken_descriptor(), first_token);
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
  const v1::Recipe& recipe = job.spec().recipe();
  return row.method() == recipe.method() &&
         FirstTokenOf(row.first_token()) == FirstTokenOf(recipe.first_token());
}

Table ComparisonTable(const v1::Job& job) {
  using Align = Table::Align;
  Table table({{"method", Align::kLeft},
               {"first token", Align::kLeft},
               {"perplexity", Align::kRight},
               {"ratio to fp", Align::kRight},
               {"windows", Align::kRight},
               {"tokens", Align::kRight},
               {"time", Align::kRight}});
  for (const v1::FirstToken group : {v1::FIRST_TOKEN_QUANTIZED, v1::FIRST_TOKEN_FLOAT}) {
    bool is_first_of_group = true;
    for (const v1::ReportRow& row : job.rows()) {
      if (FirstTokenOf(row.first_token()) != group) continue;
      if (is_first_of_group && !table.empty()) table.AddRule();
      is_first_of_group = false;
      const TextColor color = ColorOf(job, row);
      table.AddRow({{ShortEnumName(v1::Method_descriptor(), row.method()), color},
                    {FirstTokenText(row), color},
                    {PerplexityText(row.perplexity()), color},
                    {RatioText(RatioToFloat(job, row)), color},
                    {absl::StrCat(row.window_count()), color},
                    {absl::StrCat(row.token_count()), color},
                    {DurationText(SecondsOf(row)), color}});
    }
  }
  return table;
}

std::string DescribeRow(const v1::Job& job, const v1::ReportRow& row) {
  std::string text = ShortEnumName(v1::Method_descriptor(), row.method());
  if (FirstTokenOf(row.first_token()) == v1::FIRST_TOKEN_FLOAT) {
    absl::StrAppend(&text, ", first token ",
                    row.method() == v1::METHOD_FP ? "not scored" : "float");
  }
  absl::StrAppend(&text, ": perplexity ", PerplexityText(row.perplexity()));
  const double ratio = RatioToFloat(job, row);
  if (ratio > 0 && row.method() != v1::METHOD_FP) {
    absl::StrAppend(&text, absl::StrFormat(", %.3f x fp", ratio));
  }
  return absl::StrCat(text, ", ", DurationText(SecondsOf(row)));
}

}  // namespace sasq
