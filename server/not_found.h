// What is not there, or belongs to somebody else, which is told in the same words.
#ifndef SASQ_SERVER_NOT_FOUND_H_
#define SASQ_SERVER_NOT_FOUND_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/rpc_status.h"

namespace sasq {

inline absl::Status JobNotFoundStatus(absl::string_view id) {
  return WithReason(absl::NotFoundError(absl::StrCat("there is no job `jobs/", id,
                                                     "`; ListJobs shows those there are")),
                    "JOB_NOT_FOUND");
}

inline absl::Status ArtifactNotFoundStatus(absl::string_view id) {
  return WithReason(absl::NotFoundError(absl::StrCat("there is no artifact `artifacts/", id, "`")),
                    "ARTIFACT_NOT_FOUND");
}

inline absl::Status BlobNotFoundStatus(absl::string_view sha256) {
  return WithReason(absl::NotFoundError(absl::StrCat("there is no blob ", sha256)),
                    "BLOB_NOT_FOUND");
}

}  // namespace sasq

#endif  // SASQ_SERVER_NOT_FOUND_H_
