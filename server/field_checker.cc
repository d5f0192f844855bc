#include "server/field_checker.h"

#include "server/text_rules.h"

namespace sasq {
namespace {

constexpr size_t kMaxUriBytes = 4096;

}  // namespace

void FieldChecker::Text(absl::string_view field, absl::string_view text, size_t max_bytes) {
  if (text.size() > max_bytes) {
    Add(field, absl::StrCat("has ", text.size(), " bytes, want at most ", max_bytes));
  } else if (!IsPlainText(text)) {
    Add(field, "holds bytes that are not UTF-8, or control characters; want plain text");
  }
}

void FieldChecker::Uri(absl::string_view field, absl::string_view uri, SourceKind kind) {
  if (uri.empty()) {
    Add(field, "is required; want `file:` and an absolute path, `hf:`, `s3://` or `upload:`");
    return;
  }
  const size_t before = violations_.size();
  Text(field, uri, kMaxUriBytes);
  if (violations_.size() != before) return;
  const absl::StatusOr<SourceUri> parsed = ParseSourceUri(uri, kind);
  if (!parsed.ok()) Add(field, parsed.status().message());
}

}  // namespace sasq
