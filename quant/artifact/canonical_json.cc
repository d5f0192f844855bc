#include "quant/artifact/canonical_json.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"

namespace sasq {
namespace {

constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr int kMaxDepth = 64;

}  // namespace

absl::StatusOr<std::string> CanonicalJson(absl::string_view json, absl::string_view what) {
  if (json.size() > kMaxBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " is ", json.size(), " bytes long, want at most ", kMaxBytes));
  }
  bool too_deep = false;
  const auto check_depth = [&too_deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep |= depth > kMaxDepth;
    return !too_deep;
  };
  const nlohmann::json value =
      nlohmann::json::parse(json.begin(), json.end(), check_depth, /*allow_exceptions=*/false);
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " nests deeper than ", kMaxDepth, " levels"));
  }
  if (!value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is not a JSON object"));
  }
  // The parser accepts valid UTF-8 only, so nothing is replaced here.
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace sasq
