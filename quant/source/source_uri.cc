#include "quant/source/source_uri.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sasq {
namespace {

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxRevisionBytes = 256;

absl::Status Unwanted(absl::string_view uri, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("is \"", uri, "\", want ", wanted));
}

bool IsPlainPart(absl::string_view part) { return !part.empty() && part != "." && part != ".."; }

// Whether no part of a relative path is empty, `.` or `..`.
bool IsPlainPath(absl::string_view path) {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  return std::all_of(parts.begin(), parts.end(), IsPlainPart);
}

bool IsRevision(absl::string_view text) {
  return text.size() <= kMaxRevisionBytes && IsPlainPath(text) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
         });
}

bool IsBucket(absl::string_view text) {
  return text.size() >= 3 && text.size() <= 63 && !absl::StrContains(text, "..") &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '.' || c == '-';
         });
}

absl::StatusOr<SourceUri> ParseFile(absl::string_view uri, absl::string_view path) {
  constexpr absl::string_view kWanted = "`file:` and an absolute path without `..`";
  if (!absl::ConsumePrefix(&path, "/")) return Unwanted(uri, kWanted);
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  if (std::find(parts.begin(), parts.end(), "..") != parts.end()) return Unwanted(uri, kWanted);
  SourceUri parsed;
  parsed.path = absl::StrCat("/", path);
  return parsed;
}

absl::StatusOr<SourceUri> ParseHub(absl::string_view uri, absl::string_view rest, SourceKind kind) {
  const bool is_text = kind == SourceKind::kText;
  const absl::string_view wanted =
      is_text ? "`hf:[datasets/]ORG/NAME[@REVISION]/PATH`, such as `hf:datasets/org/name/train.txt`"
              : "`hf:ORG/NAME` or `hf:ORG/NAME@REVISION`";
  SourceUri parsed;
  parsed.scheme = SourceScheme::kHub;
  parsed.is_dataset = is_text && absl::ConsumePrefix(&rest, "datasets/");
  std::vector<std::string> parts =
      absl::StrSplit(rest, is_text ? absl::MaxSplits('/', 2) : absl::MaxSplits('/', 1));
  if (parts.size() != (is_text ? 3U : 2U)) return Unwanted(uri, wanted);
  const size_t at = parts[1].find('@');
  if (at != std::string::npos) {
    parsed.revision = parts[1].substr(at + 1);
    parts[1].resize(at);
  }
  parsed.repository = absl::StrCat(parts[0], "/", parts[1]);
  if (is_text) parsed.path = parts[2];
  if (!IsPlainName(parts[0]) || !IsPlainName(parts[1]) || !IsRevision(parsed.revision) ||
      (is_text && !IsPlainPath(parsed.path))) {
    return Unwanted(uri, wanted);
  }
  return parsed;
}

absl::StatusOr<SourceUri> ParseS3(absl::string_view uri, absl::string_view rest, SourceKind kind) {
  const bool is_text = kind == SourceKind::kText;
  SourceUri parsed;
  parsed.scheme = SourceScheme::kS3;
  const std::pair<std::string, std::string> parts = absl::StrSplit(rest, absl::MaxSplits('/', 1));
  parsed.bucket = parts.first;
  parsed.path = parts.second;
  if (!is_text) {
    while (absl::EndsWith(parsed.path, "/")) parsed.path.pop_back();
  }
  const bool may_be_empty = !is_text && parsed.path.empty();
  if (!IsBucket(parsed.bucket) || (!may_be_empty && !IsPlainPath(parsed.path))) {
    return Unwanted(uri, is_text ? "`s3://BUCKET/KEY`" : "`s3://BUCKET/PREFIX`");
  }
  if (!is_text && !parsed.path.empty()) parsed.path += '/';
  return parsed;
}

absl::StatusOr<SourceUri> ParseUpload(absl::string_view uri, absl::string_view name) {
  if (!IsPlainName(name)) {
    return Unwanted(uri, "`upload:` and a name of 1..128 letters, digits, `.`, `_` and `-`");
  }
  SourceUri parsed;
  parsed.scheme = SourceScheme::kUpload;
  parsed.path = std::string(name);
  return parsed;
}

}  // namespace

absl::StatusOr<SourceUri> ParseSourceUri(absl::string_view uri, SourceKind kind) {
  absl::string_view rest = uri;
  if (absl::ConsumePrefix(&rest, "file:")) return ParseFile(uri, rest);
  if (absl::ConsumePrefix(&rest, "hf:")) return ParseHub(uri, rest, kind);
  if (absl::ConsumePrefix(&rest, "s3://")) return ParseS3(uri, rest, kind);
  if (absl::ConsumePrefix(&rest, "upload:")) return ParseUpload(uri, rest);
  return Unwanted(uri,
                  "`file:` and an absolute path, such as `file:/data/model`, or one of `hf:`, "
                  "`s3://` and `upload:`");
}

std::string SourceName(absl::string_view uri) {
  absl::string_view name = uri;
  for (const absl::string_view scheme : {"file:", "hf:", "s3://", "upload:"}) {
    if (absl::ConsumePrefix(&name, scheme)) break;
  }
  while (absl::ConsumeSuffix(&name, "/")) continue;
  return std::string(name.substr(name.rfind('/') + 1));
}

bool IsPlainName(absl::string_view text) {
  return text.size() <= kMaxNameBytes && IsPlainPart(text) &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-';
         });
}

}  // namespace sasq
