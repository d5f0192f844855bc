#include "server/postgres_job_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/job_store_errors.h"
#include "server/not_found.h"
#include "server/spec_uploads.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

// Statements on a table that holds at most one piece of data for a job.
struct DataTable {
  const char* remove;
  const char* replace;
  const char* read;
};
constexpr DataTable kCheckpoints = {"DELETE FROM job_checkpoints WHERE job_id = $1",
                                    "INSERT INTO job_checkpoints (job_id, data) VALUES ($1, $2) "
                                    "ON CONFLICT (job_id) DO UPDATE SET data = $2",
                                    "SELECT data FROM job_checkpoints WHERE job_id = $1"};
constexpr DataTable kBestScales = {"DELETE FROM job_best_scales WHERE job_id = $1",
                                   "INSERT INTO job_best_scales (job_id, data) VALUES ($1, $2) "
                                   "ON CONFLICT (job_id) DO UPDATE SET data = $2",
                                   "SELECT data FROM job_best_scales WHERE job_id = $1"};

PostgresValues Text(absl::string_view value) {
  PostgresValues values;
  values.Text(value);
  return values;
}

absl::Status WriteData(PostgresConnection& connection, const DataTable& table, absl::string_view id,
                       const std::string& data) {
  PostgresValues values = Text(id);
  if (!data.empty()) values.Bytes(data);
  return connection.Run(data.empty() ? table.remove : table.replace, values).status();
}

absl::StatusOr<std::string> ReadData(PostgresConnection& connection, const DataTable& table,
                                     absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows, connection.Run(table.read, Text(id)));
  return rows.size() > 0 ? rows.Bytes(0, 0) : std::string();
}

absl::Status WriteArtifact(PostgresConnection& connection, absl::string_view id,
                           const v1::Artifact& artifact) {
  PostgresValues values = Text(id);
  values.Bytes(artifact.SerializeAsString());
  SASQ_RETURN_IF_ERROR(
      connection.Run("INSERT INTO artifacts (job_id, artifact) VALUES ($1, $2)", values).status());
  for (const v1::Blob& blob : artifact.blobs()) {
    PostgresValues reference = Text(id);
    reference.Text(blob.sha256());
    SASQ_RETURN_IF_ERROR(connection
                             .Run("INSERT INTO artifact_blobs (job_id, sha256) VALUES ($1, $2) "
                                  "ON CONFLICT DO NOTHING",
                                  reference)
                             .status());
  }
  return absl::OkStatus();
}

// What a change holds beside the job's row, which is there. `log_offset`: where its log begins.
absl::Status WriteAttachments(PostgresConnection& connection, const JobChange& change,
                              int64_t log_offset) {
  const std::string id = JobId(change.record.job);
  if (!change.log.empty()) {
    PostgresValues values = Text(id);
    values.Int(log_offset).Bytes(change.log);
    SASQ_RETURN_IF_ERROR(
        connection
            .Run("INSERT INTO job_logs (job_id, start_offset, data) VALUES ($1, $2, $3)", values)
            .status());
  }
  if (change.checkpoint.has_value()) {
    SASQ_RETURN_IF_ERROR(WriteData(connection, kCheckpoints, id, *change.checkpoint));
  }
  if (change.best_scales.has_value()) {
    SASQ_RETURN_IF_ERROR(WriteData(connection, kBestScales, id, *change.best_scales));
  }
  for (const std::string& key : change.content_keys) {
    PostgresValues values = Text(change.record.job.tenant());
    values.Text(key).Text(id);
    SASQ_RETURN_IF_ERROR(
        connection
            .Run("INSERT INTO job_content_keys (tenant, key, job_id) VALUES ($1, $2, $3) "
                 "ON CONFLICT DO NOTHING",
                 values)
            .status());
  }
  return change.artifact.has_value() ? WriteArtifact(connection, id, *change.artifact)
                                     : absl::OkStatus();
}

// The columns that change in a job's life, in the order of the statements below.
void AddMutable(const JobRecord& record, PostgresValues& values) {
  values.Int(record.job.state())
      .Time(record.queue_time)
      .Int(record.log_size_bytes)
      .Int(record.log_truncated ? 1 : 0)
      .Text(record.lease_token);
  if (record.job.worker().empty()) {
    values.Null();
  } else {
    values.Text(record.job.worker());
  }
  values.Text(record.lease_instance)
      .Int(record.lease_confirmed ? 1 : 0)
      .Time(record.lease_expire_time)
      .Text(record.completed_token)
      .Bytes(record.job.SerializeAsString())
      .Int(record.device_kinds)
      .Time(record.attempt_expire_time)
      .Int(absl::ToUnixMicros(std::max(ReadyTime(record.job), absl::UnixEpoch())))
      .Time(record.job.has_end_time() ? ToTime(record.job.end_time()) : absl::InfiniteFuture());
}

absl::Status WriteInputReferences(PostgresConnection& connection, const v1::Job& job) {
  for (const v1::UploadedFile* file : UploadsOf(job.spec())) {
    PostgresValues values = Text(JobId(job));
    values.Text(file->sha256());
    SASQ_RETURN_IF_ERROR(connection
                             .Run("INSERT INTO job_inputs (job_id, sha256) VALUES ($1, $2) "
                                  "ON CONFLICT DO NOTHING",
                                  values)
                             .status());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobRecord> ReadJobRow(const PostgresRows& rows, int row) {
  JobRecord record;
  record.position = rows.Int(row, 0);
  record.request_id = RequestIdOfKey(rows.Bytes(row, 1));
  record.spec_fingerprint = rows.Bytes(row, 2);
  record.queue_time = rows.Time(row, 3);
  record.log_size_bytes = rows.Int(row, 4);
  record.log_truncated = rows.Int(row, 5) != 0;
  record.lease_token = rows.Bytes(row, 6);
  record.lease_instance = rows.Bytes(row, 7);
  record.lease_confirmed = rows.Int(row, 8) != 0;
  record.lease_expire_time = rows.Time(row, 9);
  record.completed_token = rows.Bytes(row, 10);
  if (!record.job.ParseFromString(rows.Bytes(row, 11))) {
    return StoredDataDamaged(absl::StrCat("job at position ", record.position));
  }
  record.device_kinds = static_cast<uint32_t>(rows.Int(row, 12));
  record.attempt_expire_time = rows.Time(row, 13);
  return record;
}

absl::StatusOr<std::vector<JobRecord>> ReadJobRows(const PostgresRows& rows) {
  std::vector<JobRecord> records;
  for (int row = 0; row < rows.size(); ++row) {
    SASQ_ASSIGN_OR_RETURN(JobRecord record, ReadJobRow(rows, row));
    records.push_back(std::move(record));
  }
  return records;
}

std::vector<std::string> FirstColumn(const PostgresRows& rows) {
  std::vector<std::string> column;
  column.reserve(static_cast<size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) column.push_back(rows.Bytes(row, 0));
  return column;
}

absl::StatusOr<JobRecord> ReadJob(PostgresConnection& connection, absl::string_view id,
                                  bool for_update) {
  SASQ_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Run(for_update ? "SELECT " SASQ_POSTGRES_JOB_COLUMNS
                                  " FROM jobs WHERE id = $1 FOR UPDATE"
                                : "SELECT " SASQ_POSTGRES_JOB_COLUMNS " FROM jobs WHERE id = $1",
                     Text(id)));
  if (rows.size() == 0) return JobNotFoundStatus(id);
  return ReadJobRow(rows, 0);
}

absl::StatusOr<std::optional<JobRecord>> FindRequest(PostgresConnection& connection,
                                                     const JobRecord& record) {
  if (record.request_id.empty()) return std::nullopt;
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows, connection.Run("SELECT " SASQ_POSTGRES_JOB_COLUMNS
                                                                " FROM jobs WHERE request_key = $1",
                                                                Text(RequestKey(record))));
  if (rows.size() == 0) return std::nullopt;
  SASQ_ASSIGN_OR_RETURN(JobRecord stored, ReadJobRow(rows, 0));
  if (stored.spec_fingerprint != record.spec_fingerprint) return RequestIdReused(stored);
  return stored;
}

// Reads no more than `max_queued` entries of an index.
absl::Status CheckQueueLimit(PostgresConnection& connection, absl::string_view tenant,
                             int64_t max_queued) {
  if (max_queued <= 0) return absl::OkStatus();
  PostgresValues values = Text(tenant);
  values.Int(max_queued);
  SASQ_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Run("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 1 AND tenant = $1 "
                     "LIMIT $2) AS queued",
                     values));
  return rows.Int(0, 0) < max_queued ? absl::OkStatus() : TenantQueueFull(tenant, max_queued);
}

absl::StatusOr<bool> InsertJob(PostgresConnection& connection, JobChange& change) {
  JobRecord& record = change.record;
  record.log_size_bytes = static_cast<int64_t>(change.log.size());
  PostgresValues values = Text(JobId(record.job));
  if (record.request_id.empty()) {
    values.Null();
  } else {
    values.Text(RequestKey(record));
  }
  values.Text(record.spec_fingerprint)
      .Text(record.job.tenant())
      .Int(LeaseRank(record.job))
      .Int(record.job.spec().min_worker_memory_bytes());
  AddMutable(record, values);
  SASQ_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Run(
          "INSERT INTO jobs (id, request_key, spec_fingerprint, tenant, rank, min_memory_bytes, "
          "state, queue_time, log_size_bytes, log_truncated, lease_token, lease_worker, "
          "lease_instance, lease_confirmed, lease_expire_time, completed_token, job, "
          "device_kinds, attempt_expire_time, ready_time, end_time) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, "
          "$18, $19, $20, $21) ON CONFLICT (request_key) DO NOTHING RETURNING position",
          values));
  if (rows.size() == 0) return false;
  record.position = rows.Int(0, 0);
  SASQ_RETURN_IF_ERROR(WriteAttachments(connection, change, /*log_offset=*/0));
  SASQ_RETURN_IF_ERROR(WriteInputReferences(connection, record.job));
  return true;
}

absl::Status UpdateJob(PostgresConnection& connection, JobChange& change) {
  JobRecord& record = change.record;
  const int64_t log_offset = record.log_size_bytes;
  record.log_size_bytes += static_cast<int64_t>(change.log.size());
  PostgresValues values = Text(JobId(record.job));
  AddMutable(record, values);
  SASQ_RETURN_IF_ERROR(
      connection
          .Run("UPDATE jobs SET state = $2, queue_time = $3, log_size_bytes = $4, "
               "log_truncated = $5, lease_token = $6, lease_worker = $7, lease_instance = $8, "
               "lease_confirmed = $9, lease_expire_time = $10, completed_token = $11, job = $12, "
               "device_kinds = $13, attempt_expire_time = $14, ready_time = $15, end_time = $16 "
               "WHERE id = $1",
               values)
          .status());
  return WriteAttachments(connection, change, log_offset);
}

absl::StatusOr<std::string> ReadCheckpoint(PostgresConnection& connection, absl::string_view id) {
  return ReadData(connection, kCheckpoints, id);
}

absl::StatusOr<std::string> ReadBestScales(PostgresConnection& connection, absl::string_view id) {
  return ReadData(connection, kBestScales, id);
}

absl::StatusOr<std::vector<std::string>> ReferencesOfJob(PostgresConnection& connection,
                                                         absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows,
                        connection.Run("SELECT sha256 FROM artifact_blobs WHERE job_id = $1 "
                                       "UNION SELECT sha256 FROM job_inputs WHERE job_id = $1",
                                       Text(id)));
  return FirstColumn(rows);
}

absl::StatusOr<bool> IsReferenced(PostgresConnection& connection, absl::string_view sha256) {
  SASQ_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Run("SELECT EXISTS (SELECT 1 FROM artifact_blobs WHERE sha256 = $1) OR "
                     "EXISTS (SELECT 1 FROM job_inputs WHERE sha256 = $1) OR "
                     "EXISTS (SELECT 1 FROM uploads WHERE sha256 = $1) OR "
                     "EXISTS (SELECT 1 FROM blob_holds WHERE sha256 = $1)",
                     Text(sha256)));
  return rows.Int(0, 0) != 0;
}

absl::StatusOr<bool> IsReferencedBy(PostgresConnection& connection, absl::string_view tenant,
                                    absl::string_view sha256) {
  PostgresValues values = Text(sha256);
  values.Text(tenant);
  SASQ_ASSIGN_OR_RETURN(
      const PostgresRows rows,
      connection.Run("SELECT EXISTS (SELECT 1 FROM artifact_blobs JOIN jobs ON jobs.id = job_id "
                     "WHERE sha256 = $1 AND tenant = $2) OR "
                     "EXISTS (SELECT 1 FROM job_inputs JOIN jobs ON jobs.id = job_id "
                     "WHERE sha256 = $1 AND tenant = $2) OR "
                     "EXISTS (SELECT 1 FROM uploads WHERE sha256 = $1 AND tenant = $2)",
                     values));
  return rows.Int(0, 0) != 0;
}

}  // namespace sasq
