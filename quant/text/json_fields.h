// Typed access to the fields of tokenizer.json. Every error is INVALID_ARGUMENT with the reason
// INVALID_MODEL and names the field.
#ifndef SASQ_QUANT_TEXT_JSON_FIELDS_H_
#define SASQ_QUANT_TEXT_JSON_FIELDS_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq {

// Null if `object` has no `key` or its value is null.
const nlohmann::json* FindField(const nlohmann::json& object, absl::string_view key);

// An absent or null field gives `fallback`.
absl::StatusOr<bool> BoolField(const nlohmann::json& object, absl::string_view key, bool fallback);
absl::StatusOr<std::string> StringField(const nlohmann::json& object, absl::string_view key,
                                        absl::string_view fallback);

// Fails if the field is absent.
absl::StatusOr<std::string> StringField(const nlohmann::json& object, absl::string_view key);

// A token id, 0..2^31-1. `what` names it in errors.
absl::StatusOr<int32_t> TokenIdValue(const nlohmann::json& value, absl::string_view what);

// The parts of `spec`: none if it is null, the elements of `sequence_key` in order if its "type" is
// "Sequence" (nested sequences are flattened), else `spec` itself. Each part is an object.
absl::StatusOr<std::vector<const nlohmann::json*>> FlattenSequence(const nlohmann::json* spec,
                                                                   absl::string_view sequence_key);

}  // namespace sasq

#endif  // SASQ_QUANT_TEXT_JSON_FIELDS_H_
