#include "quant/artifact/report_markup.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace sasq {

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string MarkedHtml(absl::string_view text) {
  std::string html;
  bool code = false;
  bool strong = false;
  size_t begin = 0;
  const auto flush = [&](size_t end) {
    absl::StrAppend(&html, EscapeHtml(text.substr(begin, end - begin)));
  };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '`') {
      flush(i);
      html += code ? "</code>" : "<code>";
      code = !code;
      begin = i + 1;
    } else if (!code && text.substr(i, 2) == "**") {
      flush(i);
      html += strong ? "</strong>" : "<strong>";
      strong = !strong;
      begin = ++i + 1;
    }
  }
  flush(text.size());
  return absl::StrCat(html, code ? "</code>" : "", strong ? "</strong>" : "");
}

std::string MarkedMarkdown(absl::string_view text) {
  std::string markdown;
  bool code = false;
  for (char c : text) {
    if (c == '`') code = !code;
    if (c == '|') {
      markdown += "\\|";
    } else if (c == '\n' || c == '\r') {
      markdown += ' ';
    } else if (!code && (c == '<' || c == '>')) {
      markdown += c == '<' ? "&lt;" : "&gt;";
    } else {
      markdown += c;
    }
  }
  return markdown;
}

std::string Unmarked(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"`", ""}, {"**", ""}});
}

}  // namespace sasq
