// Jobs and what belongs to them as rows of PostgreSQL's tables. All within a transaction of the
// caller.
#ifndef SASQ_SERVER_POSTGRES_JOB_ROWS_H_
#define SASQ_SERVER_POSTGRES_JOB_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/job_record.h"
#include "server/postgres.h"

namespace sasq {

// Columns of a JobRecord in the order that ReadJobRow expects.
#define SASQ_POSTGRES_JOB_COLUMNS                                                           \
  "position, request_key, spec_fingerprint, queue_time, log_size_bytes, log_truncated, "    \
  "lease_token, lease_instance, lease_confirmed, lease_expire_time, completed_token, job, " \
  "device_kinds, attempt_expire_time"

absl::StatusOr<JobRecord> ReadJobRow(const PostgresRows& rows, int row);
absl::StatusOr<std::vector<JobRecord>> ReadJobRows(const PostgresRows& rows);
// The first column of every row.
std::vector<std::string> FirstColumn(const PostgresRows& rows);

// NOT_FOUND (JOB_NOT_FOUND). `for_update`: nobody else changes the job until the transaction ends.
absl::StatusOr<JobRecord> ReadJob(PostgresConnection& connection, absl::string_view id,
                                  bool for_update);

// The job that was made by an earlier call with the same request id. ALREADY_EXISTS
// (REQUEST_ID_REUSED).
absl::StatusOr<std::optional<JobRecord>> FindRequest(PostgresConnection& connection,
                                                     const JobRecord& record);
// RESOURCE_EXHAUSTED (TENANT_QUEUE_FULL).
absl::Status CheckQueueLimit(PostgresConnection& connection, absl::string_view tenant,
                             int64_t max_queued);

// Adds a job with all that the change holds, and sets its position and log size. False: another
// transaction has just used its request id.
absl::StatusOr<bool> InsertJob(PostgresConnection& connection, JobChange& change);
// Writes a job that is there, with all that the change holds, and sets its log size.
absl::Status UpdateJob(PostgresConnection& connection, JobChange& change);

absl::StatusOr<std::string> ReadCheckpoint(PostgresConnection& connection, absl::string_view id);
absl::StatusOr<std::string> ReadBestScales(PostgresConnection& connection, absl::string_view id);

// Blobs that the job's artifact or spec refers to.
absl::StatusOr<std::vector<std::string>> ReferencesOfJob(PostgresConnection& connection,
                                                         absl::string_view id);
absl::StatusOr<bool> IsReferenced(PostgresConnection& connection, absl::string_view sha256);
// The same, but only what belongs to jobs and uploads of a tenant.
absl::StatusOr<bool> IsReferencedBy(PostgresConnection& connection, absl::string_view tenant,
                                    absl::string_view sha256);

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_JOB_ROWS_H_
