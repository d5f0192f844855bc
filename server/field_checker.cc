#include "server/field_checker.h"

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "server/text_rules.h"

namespace sasq {
namespace {

constexpr absl::string_view kFileScheme = "file:";
constexpr size_t kMaxUriBytes = 4096;

}  // namespace

void FieldChecker::Text(absl::string_view field, absl::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    Add(field, absl::StrCat("has ", text.size(), " bytes, want at most ", max_bytes));
  } else if (!IsPlainText(text)) {
    Add(field, "holds bytes that are not UTF-8, or control characters; want plain text");
  }
}

void FieldChecker::Uri(absl::string_view field, absl::string_view uri) {
  if (uri.empty()) {
    Add(field, "is required; want `file:` and an absolute path");
    return;
  }
  const size_t before = violations_.size();
  Text(field, uri, kMaxUriBytes);
  if (violations_.size() != before) return;
  absl::string_view path = uri;
  if (!absl::ConsumePrefix(&path, kFileScheme) || !absl::StartsWith(path, "/")) {
    Add(field, absl::StrCat("is \"", uri,
                            "\", want `file:` and an absolute path, such as "
                            "`file:/data/model`"));
  }
}

}  // namespace sasq
