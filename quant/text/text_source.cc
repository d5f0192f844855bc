#include "quant/text/text_source.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/sha256.h"
#include "common/status_macros.h"
#include "quant/text/json_fields.h"
#include "quant/text/json_lines.h"
#include "quant/text/text_error.h"
#include "quant/text/unicode.h"

namespace sasq {
namespace {

constexpr int64_t kMaxTextLines = 100'000'000;

// What a failed read of a text means: see LoadText.
absl::Status TextFileError(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return InvalidText(absl::StrCat(
          status.message(), "; want a text file at the same path on the machine that reads it"));
    case absl::StatusCode::kPermissionDenied:
      return InvalidText(
          absl::StrCat(status.message(), "; let the account that runs this program read it"));
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kInvalidArgument:
      return InvalidText(status.message());
    default:
      return status;
  }
}

}  // namespace

std::string JoinWikitextRows(absl::string_view file) {
  std::string text;
  text.reserve(file.size() * 2);
  for (bool is_first = true; !file.empty(); is_first = false) {
    const size_t newline = file.find('\n');
    const absl::string_view line =
        file.substr(0, newline == absl::string_view::npos ? file.size() : newline + 1);
    file.remove_prefix(line.size());
    if (!is_first) text += "\n\n";
    if (!absl::StripAsciiWhitespace(line).empty()) absl::StrAppend(&text, line);
  }
  return text;
}

absl::StatusOr<std::string> JoinJsonLines(absl::string_view file, absl::string_view field,
                                          absl::string_view what) {
  std::string text;
  text.reserve(file.size());
  bool is_first = true;
  SASQ_RETURN_IF_ERROR(ForEachJsonLine(file, what,
                                       [&](const nlohmann::json& object, int64_t) -> absl::Status {
                                         SASQ_ASSIGN_OR_RETURN(const std::string row,
                                                               StringField(object, field));
                                         absl::StrAppend(&text, is_first ? "" : "\n\n", row);
                                         is_first = false;
                                         return absl::OkStatus();
                                       },
                                       {.max_bytes = kMaxTextBytes, .max_lines = kMaxTextLines}));
  return text;
}

absl::StatusOr<LoadedText> LoadText(const std::string& path, TextLayout layout,
                                    absl::string_view json_field) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxTextBytes);
  if (!text.ok()) return TextFileError(text.status());
  if (absl::StripAsciiWhitespace(*text).empty()) {
    return InvalidText(
        absl::StrCat(path, " has ", text->size(), " bytes and none but whitespace; want a text"));
  }
  if (const std::optional<size_t> offset = FindInvalidUtf8(*text)) {
    return NotUtf8(path, *text, *offset);
  }
  LoadedText loaded;
  loaded.file_sha256 = Sha256Hex(*text);
  switch (layout) {
    case TextLayout::kPlain:
      loaded.text = *std::move(text);
      break;
    case TextLayout::kWikitextRows:
      loaded.text = JoinWikitextRows(*text);
      break;
    case TextLayout::kJsonLines:
      SASQ_ASSIGN_OR_RETURN(loaded.text, JoinJsonLines(*text, json_field, path));
      break;
  }
  return loaded;
}

}  // namespace sasq
