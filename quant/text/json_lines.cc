#include "quant/text/json_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/json.h"
#include "quant/text/json_fields.h"
#include "quant/text/text_error.h"

namespace sasq {

using nlohmann::json;

absl::Status ForEachJsonLine(
    absl::string_view text, absl::string_view what,
    absl::FunctionRef<absl::Status(const json& object, int64_t line)> on_object,
    const JsonLinesLimits& limits) {
  if (static_cast<int64_t>(text.size()) > limits.max_bytes) {
    return InvalidText(absl::StrCat(what, " has ", text.size(), " bytes, want at most ",
                                    limits.max_bytes, "; split it"));
  }
  int64_t line_number = 0;
  int64_t object_count = 0;
  while (!text.empty()) {
    const absl::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++line_number;
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    if (++object_count > limits.max_lines) {
      return InvalidText(
          absl::StrCat(what, " has more than ", limits.max_lines, " lines; split it"));
    }
    const std::string place = absl::StrCat(what, ":", line_number);
    const absl::StatusOr<json> object = ParseJsonObject(line, place);
    if (!object.ok()) return InvalidText(object.status().message());
    const absl::Status status = on_object(*object, line_number);
    if (!status.ok()) return InvalidText(absl::StrCat(place, ": ", status.message()));
  }
  if (object_count == 0) {
    return InvalidText(absl::StrCat(what, " is empty, want one JSON object a line"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> NonemptyString(const json& object, absl::string_view key) {
  SASQ_ASSIGN_OR_RETURN(std::string value, StringField(object, key));
  if (absl::StripAsciiWhitespace(value).empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", key, "\" is empty"));
  }
  return value;
}

absl::StatusOr<std::vector<std::string>> ParsePrompts(absl::string_view text,
                                                      absl::string_view what) {
  std::vector<std::string> prompts;
  SASQ_RETURN_IF_ERROR(
      ForEachJsonLine(text, what, [&](const json& object, int64_t) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(std::string prompt, NonemptyString(object, "prompt"));
        prompts.push_back(std::move(prompt));
        return absl::OkStatus();
      }));
  return prompts;
}

}  // namespace sasq
