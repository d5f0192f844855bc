// JSON from outside, parsed without exceptions. Include it in sources, not in headers.
#ifndef SASQ_QUANT_FORMAT_JSON_H_
#define SASQ_QUANT_FORMAT_JSON_H_

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Parses `text`, whose root must be an object. An object that holds a key twice is refused, because
// readers differ in which value they take. `what` names the text in errors, which carry the reason
// INVALID_MODEL.
absl::StatusOr<nlohmann::json> ParseJsonObject(absl::string_view text, absl::string_view what);

// Reads and parses a file of at most `max_bytes`.
absl::StatusOr<nlohmann::json> ReadJsonObject(const std::string& path, int64_t max_bytes);

}  // namespace sasq

#endif  // SASQ_QUANT_FORMAT_JSON_H_
