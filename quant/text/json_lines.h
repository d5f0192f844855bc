// JSON lines: one object a line.
#ifndef SASQ_QUANT_TEXT_JSON_LINES_H_
#define SASQ_QUANT_TEXT_JSON_LINES_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Most bytes and lines of a file of prompts or questions.
inline constexpr int64_t kMaxJsonLinesBytes = 64 << 20;
inline constexpr int64_t kMaxJsonLines = 100'000;

struct JsonLinesLimits {
  int64_t max_bytes = kMaxJsonLinesBytes;
  int64_t max_lines = kMaxJsonLines;
};

// Calls `on_object` for each line of `text` that is not blank, with its number (1 for the first).
// INVALID_ARGUMENT (INVALID_TEXT), telling `what` and the line, for a line that is not a JSON
// object or that `on_object` refuses with any status; the same if there is no line or a limit is
// exceeded.
absl::Status ForEachJsonLine(
    absl::string_view text, absl::string_view what,
    absl::FunctionRef<absl::Status(const nlohmann::json& object, int64_t line)> on_object,
    const JsonLinesLimits& limits = JsonLinesLimits());

// The value of `key`, a string that is not empty. INVALID_ARGUMENT otherwise.
absl::StatusOr<std::string> NonemptyString(const nlohmann::json& object, absl::string_view key);

// The prompts of a file of lines {"prompt": "..."}; other fields are ignored. Errors as of
// ForEachJsonLine.
absl::StatusOr<std::vector<std::string>> ParsePrompts(absl::string_view text,
                                                      absl::string_view what);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_JSON_LINES_H_
