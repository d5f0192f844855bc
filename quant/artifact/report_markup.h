// From text with the marks of report_format.h (`code`, **strong**) to HTML and to Markdown.
#ifndef SASQ_QUANT_ARTIFACT_REPORT_MARKUP_H_
#define SASQ_QUANT_ARTIFACT_REPORT_MARKUP_H_

#include <string>

#include "absl/strings/string_view.h"

namespace sasq {

// Escapes text for HTML and SVG, in elements and in quoted attributes.
std::string EscapeHtml(absl::string_view text);

// Everything is escaped; marks become elements, which are always closed.
std::string MarkedHtml(absl::string_view text);

// The marks are Markdown's own. Outside of code, what Markdown would read as HTML is escaped;
// everywhere what would end a table's cell.
std::string MarkedMarkdown(absl::string_view text);

// Without marks, for attributes and drawings; not escaped.
std::string Unmarked(absl::string_view text);

}  // namespace sasq

#endif  // SASQ_QUANT_ARTIFACT_REPORT_MARKUP_H_
