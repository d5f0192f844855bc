#include "quant/artifact/json_fields.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "quant/format/json.h"

namespace sasq {
namespace {

using nlohmann::json;

const json& Nothing() {
  static const json* const nothing = new json();
  return *nothing;
}

// Writing JSON recurses, so what nests without end must not be read.
bool NestsTooDeep(absl::string_view text) {
  constexpr int kMaxDepth = 64;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{')) {
      if (++depth > kMaxDepth) return true;
    } else if (!in_string && (c == ']' || c == '}')) {
      --depth;
    }
  }
  return false;
}

}  // namespace

absl::StatusOr<json> ParseArtifactJson(absl::string_view text, absl::string_view what) {
  if (NestsTooDeep(text)) {
    return absl::InvalidArgumentError(absl::StrCat(what, " nests too deep for what it should be"));
  }
  absl::StatusOr<json> root = ParseJsonObject(text, what);
  // An artifact is no model: the reason that the reader gives does not travel on.
  if (!root.ok()) return absl::InvalidArgumentError(root.status().message());
  return root;
}

JsonFields::JsonFields(const json& object, std::string path, absl::Status* first_error)
    : object_(object), path_(std::move(path)), first_error_(first_error) {}

const json& JsonFields::Find(absl::string_view key) const {
  if (!object_.is_object()) return Nothing();
  const auto found = object_.find(std::string(key));
  return found == object_.end() ? Nothing() : *found;
}

void JsonFields::Refuse(absl::string_view key, absl::string_view wanted) const {
  if (!first_error_->ok()) return;
  *first_error_ = absl::InvalidArgumentError(
      absl::StrCat(path_, ": ", key, " is missing or malformed, want ", wanted));
}

bool JsonFields::Has(absl::string_view key) const { return !Find(key).is_null(); }

std::string JsonFields::String(absl::string_view key) const {
  const json& value = Find(key);
  if (value.is_string()) return value.get<std::string>();
  Refuse(key, "a string");
  return "";
}

std::string JsonFields::Sha256(absl::string_view key) const {
  std::string value = String(key);
  if (!IsSha256Hex(value)) Refuse(key, "64 lower-case hexadecimal digits");
  return value;
}

int64_t JsonFields::Count(absl::string_view key) const {
  const json& value = Find(key);
  if (value.is_number_unsigned() && value.get<uint64_t>() <= INT64_MAX) return value.get<int64_t>();
  Refuse(key, "a whole number of 0 or more");
  return 0;
}

double JsonFields::Number(absl::string_view key) const {
  const json& value = Find(key);
  if (value.is_number()) return value.get<double>();
  Refuse(key, "a number");
  return 0;
}

bool JsonFields::Bool(absl::string_view key) const {
  const json& value = Find(key);
  if (value.is_boolean()) return value.get<bool>();
  Refuse(key, "true or false");
  return false;
}

JsonFields JsonFields::Object(absl::string_view key) const {
  const json& value = Find(key);
  if (!value.is_object()) Refuse(key, "an object");
  return JsonFields(value, absl::StrCat(path_, ": ", key), first_error_);
}

std::vector<JsonFields> JsonFields::Objects(absl::string_view key) const {
  std::vector<JsonFields> objects;
  const json& value = Find(key);
  if (!value.is_array()) {
    Refuse(key, "an array of objects");
    return objects;
  }
  for (const json& item : value) {
    if (!item.is_object()) Refuse(key, "an array of objects");
    objects.emplace_back(item, absl::StrCat(path_, ": ", key, "[", objects.size(), "]"),
                         first_error_);
  }
  return objects;
}

}  // namespace sasq
