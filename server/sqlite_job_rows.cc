#include "server/sqlite_job_rows.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/job_store_errors.h"
#include "server/not_found.h"
#include "server/sqlite_blob_references.h"
#include "server/timestamps.h"

namespace sasq {
namespace {

absl::Status WriteLog(SqliteConnection& connection, absl::string_view id, JobChange& change) {
  if (change.log.empty()) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("INSERT INTO job_logs (job_id, start_offset, data) VALUES (?, ?, ?)"));
  SASQ_RETURN_IF_ERROR(
      statement.BindText(id).Bind(change.record.log_size_bytes).BindBlob(change.log).Run());
  change.record.log_size_bytes += static_cast<int64_t>(change.log.size());
  return absl::OkStatus();
}

// Statements on a table that holds at most one piece of data for a job.
struct DataTable {
  const char* remove;
  const char* replace;
  const char* read;
};
constexpr DataTable kCheckpoints = {
    "DELETE FROM job_checkpoints WHERE job_id = ?",
    "INSERT OR REPLACE INTO job_checkpoints (job_id, data) VALUES (?, ?)",
    "SELECT data FROM job_checkpoints WHERE job_id = ?"};
constexpr DataTable kBestScales = {
    "DELETE FROM job_best_scales WHERE job_id = ?",
    "INSERT OR REPLACE INTO job_best_scales (job_id, data) VALUES (?, ?)",
    "SELECT data FROM job_best_scales WHERE job_id = ?"};

absl::Status WriteData(SqliteConnection& connection, const DataTable& table, absl::string_view id,
                       const std::string& data) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                        connection.Prepare(data.empty() ? table.remove : table.replace));
  statement.BindText(id);
  if (!data.empty()) statement.BindBlob(data);
  return statement.Run();
}

absl::StatusOr<std::string> ReadData(SqliteConnection& connection, const DataTable& table,
                                     absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare(table.read));
  SASQ_ASSIGN_OR_RETURN(const bool found, statement.BindText(id).Step());
  return found ? statement.Bytes(0) : std::string();
}

absl::Status WriteContentKeys(SqliteConnection& connection, absl::string_view id,
                              const JobChange& change) {
  for (const std::string& key : change.content_keys) {
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare(
            "INSERT OR IGNORE INTO job_content_keys (tenant, key, job_id) VALUES (?, ?, ?)"));
    SASQ_RETURN_IF_ERROR(
        statement.BindText(change.record.job.tenant()).BindText(key).BindText(id).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteArtifact(SqliteConnection& connection, absl::string_view id,
                           const v1::Artifact& artifact) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("INSERT INTO artifacts (job_id, artifact) VALUES (?, ?)"));
  SASQ_RETURN_IF_ERROR(statement.BindText(id).BindBlob(artifact.SerializeAsString()).Run());
  for (const v1::Blob& blob : artifact.blobs()) {
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement reference,
        connection.Prepare("INSERT OR IGNORE INTO artifact_blobs (job_id, sha256) VALUES (?, ?)"));
    SASQ_RETURN_IF_ERROR(reference.BindText(id).BindText(blob.sha256()).Run());
  }
  return absl::OkStatus();
}

// Binds the columns that change in a job's life, in the order of the statements below.
SqliteStatement& BindMutable(const JobRecord& record, SqliteStatement& statement) {
  statement.Bind(record.job.state())
      .BindTime(record.queue_time)
      .Bind(record.log_size_bytes)
      .Bind(record.log_truncated ? 1 : 0)
      .BindText(record.lease_token);
  if (record.job.worker().empty()) {
    statement.BindNull();
  } else {
    statement.BindText(record.job.worker());
  }
  return statement.BindText(record.lease_instance)
      .Bind(record.lease_confirmed ? 1 : 0)
      .BindTime(record.lease_expire_time)
      .BindText(record.completed_token)
      .BindBlob(record.job.SerializeAsString())
      .Bind(record.device_kinds)
      .BindTime(record.attempt_expire_time)
      .Bind(absl::ToUnixMicros(std::max(ReadyTime(record.job), absl::UnixEpoch())))
      .BindTime(record.job.has_end_time() ? ToTime(record.job.end_time()) : absl::InfiniteFuture());
}

}  // namespace

absl::StatusOr<JobRecord> ReadRecord(const SqliteStatement& row) {
  JobRecord record;
  record.position = row.Int(0);
  record.request_id = RequestIdOfKey(row.Bytes(1));
  record.spec_fingerprint = row.Bytes(2);
  record.queue_time = row.Time(3);
  record.log_size_bytes = row.Int(4);
  record.log_truncated = row.Int(5) != 0;
  record.lease_token = row.Bytes(6);
  record.lease_instance = row.Bytes(7);
  record.lease_confirmed = row.Int(8) != 0;
  record.lease_expire_time = row.Time(9);
  record.completed_token = row.Bytes(10);
  if (!record.job.ParseFromString(row.Bytes(11))) {
    return StoredDataDamaged(absl::StrCat("job at position ", record.position));
  }
  record.device_kinds = static_cast<uint32_t>(row.Int(12));
  record.attempt_expire_time = row.Time(13);
  return record;
}

absl::StatusOr<JobRecord> ReadJob(SqliteConnection& connection, absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                        connection.Prepare("SELECT " SASQ_JOB_COLUMNS " FROM jobs WHERE id = ?"));
  SASQ_ASSIGN_OR_RETURN(const bool found, statement.BindText(id).Step());
  if (!found) return JobNotFoundStatus(id);
  return ReadRecord(statement);
}

absl::StatusOr<std::optional<JobRecord>> FindRequest(SqliteConnection& connection,
                                                     const JobRecord& record) {
  if (record.request_id.empty()) return std::nullopt;
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT " SASQ_JOB_COLUMNS " FROM jobs WHERE request_key = ?"));
  SASQ_ASSIGN_OR_RETURN(const bool known, statement.BindText(RequestKey(record)).Step());
  if (!known) return std::nullopt;
  SASQ_ASSIGN_OR_RETURN(JobRecord stored, ReadRecord(statement));
  if (stored.spec_fingerprint != record.spec_fingerprint) return RequestIdReused(stored);
  return stored;
}

// Reads no more than `max_queued` entries of an index.
absl::Status CheckQueueLimit(SqliteConnection& connection, absl::string_view tenant,
                             int64_t max_queued) {
  if (max_queued <= 0) return absl::OkStatus();
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT count(*) FROM (SELECT 1 FROM jobs WHERE state = 1 AND tenant = ? "
                         "LIMIT ?)"));
  SASQ_RETURN_IF_ERROR(statement.BindText(tenant).Bind(max_queued).Step().status());
  return statement.Int(0) < max_queued ? absl::OkStatus() : TenantQueueFull(tenant, max_queued);
}

absl::Status InsertJob(SqliteConnection& connection, JobChange& change) {
  JobRecord& record = change.record;
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare(
          "INSERT INTO jobs (id, request_key, spec_fingerprint, tenant, rank, min_memory_bytes, "
          "state, queue_time, log_size_bytes, log_truncated, lease_token, lease_worker, "
          "lease_instance, lease_confirmed, lease_expire_time, completed_token, job, "
          "device_kinds, attempt_expire_time, ready_time, end_time) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
          "RETURNING position"));
  const std::string id = JobId(record.job);
  statement.BindText(id);
  if (record.request_id.empty()) {
    statement.BindNull();
  } else {
    statement.BindText(RequestKey(record));
  }
  statement.BindText(record.spec_fingerprint)
      .BindText(record.job.tenant())
      .Bind(LeaseRank(record.job))
      .Bind(record.job.spec().min_worker_memory_bytes());
  SASQ_RETURN_IF_ERROR(BindMutable(record, statement).Step().status());
  record.position = statement.Int(0);
  SASQ_RETURN_IF_ERROR(statement.Run());  // to its end
  SASQ_RETURN_IF_ERROR(WriteChange(connection, change));
  return WriteInputReferences(connection, id, record.job.spec());
}

absl::Status WriteChange(SqliteConnection& connection, JobChange& change) {
  const std::string id = JobId(change.record.job);
  SASQ_RETURN_IF_ERROR(WriteLog(connection, id, change));
  if (change.checkpoint.has_value()) {
    SASQ_RETURN_IF_ERROR(WriteData(connection, kCheckpoints, id, *change.checkpoint));
  }
  if (change.best_scales.has_value()) {
    SASQ_RETURN_IF_ERROR(WriteData(connection, kBestScales, id, *change.best_scales));
  }
  SASQ_RETURN_IF_ERROR(WriteContentKeys(connection, id, change));
  if (change.artifact.has_value()) {
    SASQ_RETURN_IF_ERROR(WriteArtifact(connection, id, *change.artifact));
  }
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("UPDATE jobs SET state = ?, queue_time = ?, log_size_bytes = ?, "
                         "log_truncated = ?, lease_token = ?, lease_worker = ?, "
                         "lease_instance = ?, lease_confirmed = ?, lease_expire_time = ?, "
                         "completed_token = ?, job = ?, device_kinds = ?, "
                         "attempt_expire_time = ?, ready_time = ?, end_time = ? WHERE id = ?"));
  return BindMutable(change.record, statement).BindText(id).Run();
}

absl::StatusOr<std::string> ReadCheckpoint(SqliteConnection& connection, absl::string_view id) {
  return ReadData(connection, kCheckpoints, id);
}

absl::StatusOr<std::string> ReadBestScales(SqliteConnection& connection, absl::string_view id) {
  return ReadData(connection, kBestScales, id);
}

}  // namespace sasq
