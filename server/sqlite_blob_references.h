// Which blobs something in the database refers to: artifacts, the specs of jobs, uploads that wait
// for their job, and holders; and which are being removed.
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
absl::Status WriteHolds(SqliteConnection& connection, const std::string& holder,
                        const std::vector<std::string>& digests, absl::Time time);
absl::Status RemoveHolder(SqliteConnection& connection, const std::string& holder);
// Of uploads and holds: their digests, some of them more than once.
absl::StatusOr<std::vector<std::string>> RemoveUploadsBefore(SqliteConnection& connection,
                                                             absl::Time time);

// As of JobStore's BeginBlobRemoval, EndBlobRemoval and StaleBlobRemovals.
absl::StatusOr<bool> MarkRemoval(SqliteConnection& connection, const std::string& sha256,
                                 const std::string& remover, absl::Time now);
absl::Status UnmarkRemoval(SqliteConnection& connection, const std::string& sha256,
                           const std::string& remover);
absl::StatusOr<std::vector<std::string>> RemovalsBefore(SqliteConnection& connection,
                                                        absl::Time time);

// What a process that died held or removed; not in a transaction of the caller.
absl::Status ForgetHoldersAndRemovals(SqliteConnection& connection);

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_BLOB_REFERENCES_H_
