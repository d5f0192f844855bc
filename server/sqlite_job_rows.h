// Jobs and what belongs to them as rows of SQLite's tables. All within a transaction of the caller.
#ifndef SASQ_SERVER_SQLITE_JOB_ROWS_H_
#define SASQ_SERVER_SQLITE_JOB_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/job_record.h"
#include "server/sqlite.h"

namespace sasq {

// Columns of a JobRecord in the order that ReadRecord expects.
#define SASQ_JOB_COLUMNS                                                                    \
  "position, request_key, spec_fingerprint, queue_time, log_size_bytes, log_truncated, "    \
  "lease_token, lease_instance, lease_confirmed, lease_expire_time, completed_token, job, " \
  "device_kinds, attempt_expire_time"

absl::StatusOr<JobRecord> ReadRecord(const SqliteStatement& row);

// NOT_FOUND (JOB_NOT_FOUND).
absl::StatusOr<JobRecord> ReadJob(SqliteConnection& connection, absl::string_view id);

// The job that was made by an earlier call with the same request id. ALREADY_EXISTS
// (REQUEST_ID_REUSED).
absl::StatusOr<std::optional<JobRecord>> FindRequest(SqliteConnection& connection,
                                                     const JobRecord& record);
// RESOURCE_EXHAUSTED (TENANT_QUEUE_FULL).
absl::Status CheckQueueLimit(SqliteConnection& connection, absl::string_view tenant,
                             int64_t max_queued);

// Adds a job with all that the change holds, and sets its position and log size.
absl::Status InsertJob(SqliteConnection& connection, JobChange& change);
// Writes a job that is there, with all that the change holds, and sets its log size.
absl::Status WriteChange(SqliteConnection& connection, JobChange& change);

absl::StatusOr<std::string> ReadCheckpoint(SqliteConnection& connection, absl::string_view id);
absl::StatusOr<std::string> ReadBestScales(SqliteConnection& connection, absl::string_view id);

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_JOB_ROWS_H_
