// Building blocks of the report page.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_sections.h"

namespace sasq {
namespace {

void AppendCell(const TableColumn& column, const ReportCell& cell, bool first, std::string& html) {
  absl::StrAppend(&html, first ? "<th scope=\"row\">" : column.numeric ? "<td class=\"n\"" : "<td");
  if (!first) {
    absl::StrAppend(&html, " data-label=\"", EscapeHtml(Unmarked(column.title)), "\"><span>");
  }
  if (cell.bar.has_value()) {
    absl::StrAppendFormat(&html,
                          "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i>"
                          "</span>",
                          100 * *cell.bar);
  }
  absl::StrAppend(&html, cell.bar.has_value() ? "<span class=\"percent\">" : "",
                  MarkedHtml(cell.text), cell.bar.has_value() ? "</span>" : "");
  if (!cell.detail.empty()) {
    absl::StrAppend(&html, "<span class=\"detail\">", MarkedHtml(cell.detail), "</span>");
  }
  html += first ? "</th>" : "</span></td>";
}

}  // namespace

void AppendTableBody(const ReportTable& table, std::string& html) {
  html += "<table class=\"rows\"><thead><tr>";
  for (const TableColumn& column : table.columns) {
    absl::StrAppend(&html, column.numeric ? "<th scope=\"col\" class=\"n\">" : "<th scope=\"col\">",
                    MarkedHtml(column.title), "</th>");
  }
  html += "</tr></thead><tbody>";
  for (const TableRow& row : table.rows) {
    if (!row.group.empty()) {
      absl::StrAppend(&html, "<tr class=\"group\"><th scope=\"colgroup\" colspan=\"",
                      table.columns.size(), "\">", MarkedHtml(row.group), "</th></tr>");
      continue;
    }
    html += row.marked ? "<tr class=\"chosen\">" : "<tr>";
    for (size_t i = 0; i < row.cells.size(); ++i) {
      AppendCell(table.columns[i], row.cells[i], i == 0, html);
    }
    html += "</tr>";
  }
  html += "</tbody></table>";
}

void AppendTable(const ReportTable& table, std::string& html) {
  if (table.rows.empty()) return;
  absl::StrAppend(&html, "<div class=\"card\"><h3>", MarkedHtml(table.title), "</h3>");
  if (!table.note.empty()) {
    absl::StrAppend(&html, "<p class=\"dim note\">", MarkedHtml(table.note), "</p>");
  }
  absl::StrAppend(&html, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"",
                  EscapeHtml(Unmarked(table.title)), "\">");
  AppendTableBody(table, html);
  html += "</div></div>";
}

void AppendSentences(const std::vector<std::string>& sentences, std::string& html) {
  if (sentences.empty()) return;
  html += "<ul>";
  for (const std::string& sentence : sentences) {
    absl::StrAppend(&html, "<li>", MarkedHtml(sentence), "</li>");
  }
  html += "</ul>";
}

void AppendEntry(absl::string_view term, absl::string_view description, std::string& html) {
  absl::StrAppend(&html, "<dt>", term, "</dt><dd>", description, "</dd>");
}

}  // namespace sasq
