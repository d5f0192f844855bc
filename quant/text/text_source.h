// From a file to one text.
#ifndef SASQ_QUANT_TEXT_TEXT_SOURCE_H_
#define SASQ_QUANT_TEXT_TEXT_SOURCE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Longest file that is read.
inline constexpr int64_t kMaxTextBytes = int64_t{1} << 30;

// How a file becomes one text.
enum class TextLayout {
  kPlain,         // the bytes as they are
  kWikitextRows,  // see JoinWikitextRows
  kJsonLines,     // see JoinJsonLines
};

// A file as one text.
struct LoadedText {
  std::string text;
  std::string file_sha256;  // of the file's bytes, whatever the layout
};

// Reads a file. `json_field`: of kJsonLines. INVALID_ARGUMENT (INVALID_TEXT), naming the path, if
// it is missing, unreadable, empty, longer than kMaxTextBytes, not UTF-8 or not in its layout;
// UNAVAILABLE if reading fails.
absl::StatusOr<LoadedText> LoadText(const std::string& path, TextLayout layout,
                                    absl::string_view json_field = "text");

// The strings in `field` of JSON lines, in the order of the lines, joined by two newlines.
// INVALID_ARGUMENT (INVALID_TEXT) names `what` and the line that is no object or has no such
// string.
absl::StatusOr<std::string> JoinJsonLines(absl::string_view file, absl::string_view field,
                                          absl::string_view what);

// WikiText as published perplexities read it: the rows of the Hugging Face data set
// wikitext-2-raw-v1, joined by two newlines. The data set has one row for each line of the file: ""
// for a line of whitespace only, else the line as it is, its newline included.
std::string JoinWikitextRows(absl::string_view file);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_TEXT_SOURCE_H_
