#include "server/names.h"

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr absl::string_view kJobs = "jobs/";
constexpr absl::string_view kArtifacts = "artifacts/";

absl::Status InvalidName(absl::string_view name, absl::string_view wanted) {
  return FieldViolationsStatus(
      {{"name", absl::StrCat("is \"", absl::Utf8SafeCEscape(name.substr(0, 64)), "\", want ",
                             wanted, " with an id of 32 lower-case hexadecimal digits")}},
      "INVALID_NAME");
}

// Tells a token of another list, or a made-up one, from ours. No secret: a forged token shows
// nothing that the list does not show.
std::string PageTokenCheck(absl::string_view position, const std::vector<v1::JobState>& states) {
  std::string text = absl::StrCat("sasq.v1.ListJobs:", position);
  for (v1::JobState state : std::set<v1::JobState>(states.begin(), states.end())) {
    absl::StrAppend(&text, ":", state);
  }
  return Sha256Hex(text).substr(0, 16);
}

}  // namespace

std::string JobName(absl::string_view id) { return absl::StrCat(kJobs, id); }
std::string ArtifactName(absl::string_view id) { return absl::StrCat(kArtifacts, id); }

absl::StatusOr<std::string> ParseJobName(absl::string_view name) {
  absl::string_view id = name;
  if (!absl::ConsumePrefix(&id, kJobs) || !IsUid(id)) return InvalidName(name, "`jobs/{id}`");
  return std::string(id);
}

absl::StatusOr<ArtifactReference> ParseArtifactName(absl::string_view name) {
  absl::string_view id = name;
  const bool by_job = absl::ConsumePrefix(&id, kJobs);
  if ((!by_job && !absl::ConsumePrefix(&id, kArtifacts)) || !IsUid(id)) {
    return InvalidName(name, "`artifacts/{id}` or `jobs/{id}`");
  }
  return ArtifactReference{std::string(id), by_job};
}

std::string MakePageToken(int64_t position, const std::vector<v1::JobState>& states) {
  const std::string text = absl::StrCat(position);
  return absl::WebSafeBase64Escape(absl::StrCat(text, ":", PageTokenCheck(text, states)));
}

absl::StatusOr<int64_t> ParsePageToken(absl::string_view token,
                                       const std::vector<v1::JobState>& states) {
  std::string text;
  int64_t position = 0;
  if (absl::WebSafeBase64Unescape(token, &text)) {
    const std::vector<std::string> parts = absl::StrSplit(text, ':');
    if (parts.size() == 2 && absl::SimpleAtoi(parts[0], &position) && position > 0 &&
        parts[1] == PageTokenCheck(parts[0], states)) {
      return position;
    }
  }
  return FieldViolationsStatus(
      {{"page_token",
        "is not a next_page_token of ListJobs for the same states; begin with the "
        "first page"}},
      "INVALID_REQUEST");
}

}  // namespace sasq
