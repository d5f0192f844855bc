// Tables for people: aligned columns under a header with a thin rule.
#ifndef SASQ_CLIENT_TABLE_H_
#define SASQ_CLIENT_TABLE_H_

#include <string>
#include <utility>
#include <vector>

#include "client/terminal.h"

namespace sasq {

// One cell. The text is cleaned when it is drawn.
struct TableCell {
  // Implicit, so that rows read as lists of texts. NOLINTNEXTLINE(google-explicit-constructor)
  TableCell(std::string cell_text, TextColor cell_color = TextColor::kPlain)
      : text(std::move(cell_text)), color(cell_color) {}
  std::string text;
  TextColor color;
};

class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string header;
    Align align = Align::kLeft;
    bool may_shrink = false;  // cut first where the terminal is too narrow
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // As many cells as columns.
  void AddRow(std::vector<TableCell> cells);
  // A rule between the rows before and after.
  void AddRule();
  bool empty() const { return rows_.empty(); }

  // Lines, each ended by a line feed, at most `max_width` columns where shrinking allows it.
  std::string Render(const TextStyle& style, int max_width) const;

 private:
  std::vector<int> Widths(int max_width) const;

  const std::vector<Column> columns_;
  std::vector<std::vector<TableCell>> rows_;  // an empty row is a rule
};

// `key  value` lines with the keys aligned; values keep what does not fit on one line.
std::string RenderKeyValues(const std::vector<std::pair<std::string, TableCell>>& pairs,
                            const TextStyle& style);

}  // namespace sasq

#endif  // SASQ_CLIENT_TABLE_H_
