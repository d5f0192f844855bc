#include "quant/text/json_fields.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

using nlohmann::json;

constexpr int kMaxSequenceDepth = 8;

absl::Status WrongType(absl::string_view key, absl::string_view wanted) {
  return InvalidModel(absl::StrCat("\"", key, "\" is missing or malformed, want ", wanted));
}

absl::Status Flatten(const json& spec, absl::string_view sequence_key, int depth,
                     std::vector<const json*>* parts) {
  if (!spec.is_object()) return WrongType(sequence_key, "objects");
  SASQ_ASSIGN_OR_RETURN(const std::string type, StringField(spec, "type"));
  if (type != "Sequence") {
    parts->push_back(&spec);
    return absl::OkStatus();
  }
  const json* elements = FindField(spec, sequence_key);
  if (elements == nullptr || !elements->is_array() || depth >= kMaxSequenceDepth) {
    return WrongType(sequence_key, "an array of objects");
  }
  for (const json& element : *elements) {
    SASQ_RETURN_IF_ERROR(Flatten(element, sequence_key, depth + 1, parts));
  }
  return absl::OkStatus();
}

}  // namespace

const json* FindField(const json& object, absl::string_view key) {
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::StatusOr<bool> BoolField(const json& object, absl::string_view key, bool fallback) {
  const json* value = FindField(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_boolean()) return WrongType(key, "true or false");
  return value->get<bool>();
}

absl::StatusOr<std::string> StringField(const json& object, absl::string_view key,
                                        absl::string_view fallback) {
  if (FindField(object, key) == nullptr) return std::string(fallback);
  return StringField(object, key);
}

absl::StatusOr<std::string> StringField(const json& object, absl::string_view key) {
  const json* value = FindField(object, key);
  if (value == nullptr || !value->is_string()) return WrongType(key, "a string");
  return value->get<std::string>();
}

absl::StatusOr<int32_t> TokenIdValue(const json& value, absl::string_view what) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > INT32_MAX) {
    return WrongType(what, "a token id in 0..2147483647");
  }
  return value.get<int32_t>();
}

absl::StatusOr<std::vector<const json*>> FlattenSequence(const json* spec,
                                                         absl::string_view sequence_key) {
  std::vector<const json*> parts;
  if (spec != nullptr) SASQ_RETURN_IF_ERROR(Flatten(*spec, sequence_key, 0, &parts));
  return parts;
}

}  // namespace sasq
