#include "quant/format/json.h"

#include <optional>
#include <unordered_set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/status_macros.h"
#include "quant/format/model_error.h"

namespace sasq {
namespace {

using nlohmann::json;

// Remembers the first key that an object holds twice.
class DuplicateKeyFinder {
 public:
  void OnEvent(json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::object_start) {
      keys_of_open_objects_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys_of_open_objects_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const std::string& key = parsed.get_ref<const std::string&>();
      if (!keys_of_open_objects_.back().insert(key).second && !duplicate_) duplicate_ = key;
    }
  }
  const std::optional<std::string>& duplicate() const { return duplicate_; }

 private:
  std::vector<std::unordered_set<std::string>> keys_of_open_objects_;
  std::optional<std::string> duplicate_;
};

}  // namespace

absl::StatusOr<json> ParseJsonObject(absl::string_view text, absl::string_view what) {
  DuplicateKeyFinder finder;
  json root;
  try {
    root = json::parse(text.begin(), text.end(),
                       [&finder](int /*depth*/, json::parse_event_t event, const json& parsed) {
                         finder.OnEvent(event, parsed);
                         return true;
                       });
  } catch (const json::exception& error) {
    return InvalidModel(absl::StrCat(what, " is not valid JSON: ", error.what()));
  }
  if (!root.is_object()) {
    return InvalidModel(
        absl::StrCat(what, " holds a JSON ", root.type_name(), " at its root, want an object"));
  }
  if (finder.duplicate()) {
    return InvalidModel(
        absl::StrCat(what, " holds the key \"", *finder.duplicate(), "\" twice in one object"));
  }
  return root;
}

absl::StatusOr<json> ReadJsonObject(const std::string& path, int64_t max_bytes) {
  const absl::StatusOr<std::string> text = ReadFile(path, max_bytes);
  if (!text.ok()) return ModelFileError(text.status());
  return ParseJsonObject(*text, path);
}

}  // namespace sasq
