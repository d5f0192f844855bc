// Names of jobs as people type them.
#ifndef SASQ_CLIENT_JOB_NAME_H_
#define SASQ_CLIENT_JOB_NAME_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/service_client.h"

namespace sasq {

inline constexpr size_t kMinJobPrefixDigits = 6;

// `jobs/{id}` from `jobs/{id}`, `artifacts/{id}`, `{id}`, or the first six or more digits of an id,
// in each of these forms; a shortened id is looked up among the service's jobs. INVALID_ARGUMENT if
// `typed` is none of these or several jobs begin so, NOT_FOUND if no job does.
absl::StatusOr<std::string> ResolveJobName(ServiceClient& client, absl::string_view typed);

// The first digits of a job's id, enough for people.
std::string ShortJobId(absl::string_view name);

}  // namespace sasq

#endif  // SASQ_CLIENT_JOB_NAME_H_
