#include "client/table.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kGapColumns = 2;
constexpr int kNarrowestColumn = 8;

std::string Rule(const std::vector<int>& widths, const TextStyle& style) {
  const int total = std::accumulate(widths.begin(), widths.end(), 0) +
                    kGapColumns * (static_cast<int>(widths.size()) - 1);
  std::string rule;
  for (int i = 0; i < total; ++i) absl::StrAppend(&rule, style.utf8 ? "─" : "-");
  return style.Paint(TextColor::kDim, rule) + "\n";
}

}  // namespace

void Table::AddRow(std::vector<TableCell> cells) {
  SASQ_CHECK(cells.size() == columns_.size());
  for (TableCell& cell : cells) cell.text = CleanLine(cell.text);
  rows_.push_back(std::move(cells));
}

void Table::AddRule() { rows_.emplace_back(); }

std::vector<int> Table::Widths(int max_width) const {
  std::vector<int> widths;
  for (const Column& column : columns_) widths.push_back(DisplayWidth(column.header));
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(row[i].text));
    }
  }
  int excess = std::accumulate(widths.begin(), widths.end(), 0) +
               kGapColumns * (static_cast<int>(widths.size()) - 1) - max_width;
  for (size_t i = 0; i < widths.size() && excess > 0; ++i) {
    if (!columns_[i].may_shrink) continue;
    const int cut = std::min(excess, std::max(0, widths[i] - kNarrowestColumn));
    widths[i] -= cut;
    excess -= cut;
  }
  return widths;
}

std::string Table::Render(const TextStyle& style, int max_width) const {
  const std::vector<int> widths = Widths(max_width);
  const auto render_line = [&](const auto& text_and_color_of) {
    std::string line;
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto [text, color] = text_and_color_of(i);
      const std::string cut = TruncateToWidth(text, widths[i]);
      const bool is_last = i + 1 == columns_.size();
      const std::string padded = columns_[i].align == Align::kRight ? PadLeft(cut, widths[i])
                                 : is_last                          ? cut
                                                                    : PadRight(cut, widths[i]);
      absl::StrAppend(&line, style.Paint(color, padded),
                      std::string(is_last ? 0 : kGapColumns, ' '));
    }
    return absl::StrCat(absl::StripTrailingAsciiWhitespace(line), "\n");
  };
  std::string result = render_line([&](size_t i) {
    return std::pair<std::string, TextColor>(columns_[i].header, TextColor::kBold);
  });
  absl::StrAppend(&result, Rule(widths, style));
  for (const auto& row : rows_) {
    absl::StrAppend(&result, row.empty() ? Rule(widths, style) : render_line([&](size_t i) {
      return std::pair<std::string, TextColor>(row[i].text, row[i].color);
    }));
  }
  return result;
}

std::string RenderKeyValues(const std::vector<std::pair<std::string, TableCell>>& pairs,
                            const TextStyle& style) {
  int width = 0;
  for (const auto& [key, value] : pairs) width = std::max(width, DisplayWidth(key));
  std::string result;
  for (const auto& [key, value] : pairs) {
    absl::StrAppend(&result, style.Paint(TextColor::kDim, PadRight(key, width)), "  ",
                    style.Paint(value.color, CleanLine(value.text)), "\n");
  }
  return result;
}

}  // namespace sasq
