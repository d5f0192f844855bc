// Resource names and page tokens.
#ifndef SASQ_SERVER_NAMES_H_
#define SASQ_SERVER_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// `jobs/{id}` and `artifacts/{id}`.
std::string JobName(absl::string_view id);
std::string ArtifactName(absl::string_view id);

// The id in `jobs/{id}`. INVALID_ARGUMENT (INVALID_NAME) otherwise.
absl::StatusOr<std::string> ParseJobName(absl::string_view name);

struct ArtifactReference {
  std::string id;
  bool by_job = false;  // the name was `jobs/{id}`
};

// The id in `artifacts/{id}` or `jobs/{id}`. INVALID_ARGUMENT (INVALID_NAME) otherwise.
absl::StatusOr<ArtifactReference> ParseArtifactName(absl::string_view name);

// An opaque token that leads on from the job at `position`, for the same states only.
std::string MakePageToken(int64_t position, const std::vector<v1::JobState>& states);

// The position in a token of MakePageToken for these states, in any order. INVALID_ARGUMENT
// (INVALID_REQUEST) for anything else.
absl::StatusOr<int64_t> ParsePageToken(absl::string_view token,
                                       const std::vector<v1::JobState>& states);

}  // namespace sasq

#endif  // SASQ_SERVER_NAMES_H_
