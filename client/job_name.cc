#include "client/job_name.h"

#include <algorithm>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/status_macros.h"
#include "common/uid.h"

namespace sasq {
namespace {

constexpr size_t kIdDigits = 32;
constexpr size_t kShortDigits = 12;
constexpr int kPageSize = 200;
constexpr size_t kMaxNamedMatches = 3;

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

std::string ShortJobId(absl::string_view name) {
  absl::ConsumePrefix(&name, "jobs/");
  return std::string(name.substr(0, kShortDigits));
}

absl::StatusOr<std::string> ResolveJobName(ServiceClient& client, absl::string_view typed) {
  absl::string_view id = typed;
  if (!absl::ConsumePrefix(&id, "jobs/")) absl::ConsumePrefix(&id, "artifacts/");
  if (IsUid(id)) return absl::StrCat("jobs/", id);
  if (id.size() < kMinJobPrefixDigits || id.size() > kIdDigits || !IsHex(id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", typed, "\" is not the name of a job, want jobs/ID, ID or at least ",
                     kMinJobPrefixDigits, " first digits of it; `sasq list` shows them"));
  }
  const std::string prefix = absl::StrCat("jobs/", id);
  std::vector<std::string> matches;
  v1::ListJobsRequest request;
  request.set_page_size(kPageSize);
  do {
    SASQ_ASSIGN_OR_RETURN(const v1::ListJobsResponse page, client.ListJobs(request));
    for (const v1::Job& job : page.jobs()) {
      if (absl::StartsWith(job.name(), prefix)) matches.push_back(job.name());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && matches.size() <= kMaxNamedMatches);
  if (matches.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no job begins with ", id, "; `sasq list` shows the jobs there are"));
  }
  if (matches.size() > 1) {
    if (matches.size() > kMaxNamedMatches) matches.resize(kMaxNamedMatches);
    return absl::InvalidArgumentError(absl::StrCat(
        "several jobs begin with ", id, " (", absl::StrJoin(matches, ", "), "); give more digits"));
  }
  return matches[0];
}

}  // namespace sasq
