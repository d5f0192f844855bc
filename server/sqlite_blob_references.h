// Which blobs something in the database refers to: artifacts, the specs of jobs, and uploads that
// wait for their job.
#ifndef SASQ_SERVER_SQLITE_BLOB_REFERENCES_H_
#define SASQ_SERVER_SQLITE_BLOB_REFERENCES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sasq/v1/job_spec.pb.h"
#include "server/sqlite.h"

namespace sasq {

// All within a transaction of the caller.
absl::Status WriteInputReferences(SqliteConnection& connection, absl::string_view id,
                                  const v1::JobSpec& spec);
// Blobs that the job's artifact or spec refers to.
absl::StatusOr<std::vector<std::string>> ReferencesOfJob(SqliteConnection& connection,
                                                         absl::string_view id);
absl::StatusOr<bool> IsReferenced(SqliteConnection& connection, absl::string_view sha256);

// The same, but only what belongs to jobs and uploads of a tenant.
absl::StatusOr<bool> IsReferencedBy(SqliteConnection& connection, absl::string_view tenant,
                                    absl::string_view sha256);

absl::Status WriteUploads(SqliteConnection& connection, absl::string_view tenant,
                          const std::vector<std::string>& digests, absl::Time time);
// Their digests, one for each tenant.
absl::StatusOr<std::vector<std::string>> RemoveUploadsBefore(SqliteConnection& connection,
                                                             absl::Time time);

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_BLOB_REFERENCES_H_
