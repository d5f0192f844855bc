#include "server/postgres_schema.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// kMigrations[i] leads from version i to version i + 1. Never edit one that was released.
// Times are microseconds since 1970. `job`, `artifact` and `worker` are serialized messages of
// sasq.v1; the other columns are what is searched, and what only the coordinators know. State 1 is
// JOB_STATE_QUEUED, 2 and 3 hold a lease. `request_key` is the tenant and the request id with a
// newline between them, `rank` is LeaseRank.
constexpr const char* kMigrations[kPostgresSchemaVersion] = {
    R"sql(
CREATE TABLE jobs (
  position BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL,
  request_key TEXT UNIQUE,
  spec_fingerprint TEXT NOT NULL,
  rank BIGINT NOT NULL,
  min_memory_bytes BIGINT NOT NULL,
  state BIGINT NOT NULL,
  queue_time BIGINT NOT NULL,
  log_size_bytes BIGINT NOT NULL,
  log_truncated BOOLEAN NOT NULL,
  lease_token TEXT NOT NULL,
  lease_worker TEXT,
  lease_instance TEXT NOT NULL,
  lease_confirmed BOOLEAN NOT NULL,
  lease_expire_time BIGINT,
  completed_token TEXT NOT NULL,
  job BYTEA NOT NULL,
  device_kinds BIGINT NOT NULL,
  attempt_expire_time BIGINT,
  ready_time BIGINT NOT NULL,
  end_time BIGINT
);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_tenant ON jobs (tenant, position);
CREATE INDEX jobs_to_lease ON jobs (rank, position) WHERE state = 1;
CREATE INDEX jobs_by_queue_time ON jobs (queue_time) WHERE state = 1;
CREATE INDEX jobs_queued_by_tenant ON jobs (tenant) WHERE state = 1;
CREATE INDEX jobs_leased_by_tenant ON jobs (tenant) WHERE state IN (2, 3);
CREATE INDEX jobs_by_lease_expiry ON jobs (lease_expire_time) WHERE lease_expire_time IS NOT NULL;
CREATE INDEX jobs_by_lease_holder ON jobs (lease_worker) WHERE lease_worker IS NOT NULL;
CREATE INDEX jobs_by_end_time ON jobs (state, end_time) WHERE end_time IS NOT NULL;
CREATE TABLE job_logs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  start_offset BIGINT NOT NULL,
  data BYTEA NOT NULL,
  PRIMARY KEY (job_id, start_offset)
);
CREATE TABLE job_checkpoints (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  data BYTEA NOT NULL
);
CREATE TABLE job_best_scales (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  data BYTEA NOT NULL
);
CREATE TABLE job_content_keys (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  PRIMARY KEY (tenant, key, job_id)
);
CREATE INDEX job_content_keys_by_job ON job_content_keys (job_id);
CREATE TABLE artifacts (
  job_id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
  artifact BYTEA NOT NULL
);
CREATE TABLE artifact_blobs (
  job_id TEXT NOT NULL REFERENCES artifacts (job_id) ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (job_id, sha256)
);
CREATE INDEX artifact_blobs_by_digest ON artifact_blobs (sha256);
CREATE TABLE job_inputs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (job_id, sha256)
);
CREATE INDEX job_inputs_by_digest ON job_inputs (sha256);
CREATE TABLE uploads (
  sha256 TEXT NOT NULL,
  tenant TEXT NOT NULL,
  time BIGINT NOT NULL,
  PRIMARY KEY (sha256, tenant)
);
CREATE INDEX uploads_by_time ON uploads (time);
CREATE TABLE blob_holds (
  sha256 TEXT NOT NULL,
  holder TEXT NOT NULL,
  time BIGINT NOT NULL,
  PRIMARY KEY (sha256, holder)
);
CREATE INDEX blob_holds_by_time ON blob_holds (time);
CREATE INDEX blob_holds_by_holder ON blob_holds (holder);
CREATE TABLE blob_removals (
  sha256 TEXT PRIMARY KEY,
  time BIGINT NOT NULL,
  remover TEXT NOT NULL
);
CREATE TABLE workers (
  id TEXT PRIMARY KEY,
  coordinator TEXT NOT NULL,
  instance TEXT NOT NULL,
  last_seen BIGINT NOT NULL,
  draining BOOLEAN NOT NULL,
  worker BYTEA NOT NULL
);
)sql",
};

// Held until the transaction ends.
constexpr char kLock[] = "SELECT pg_advisory_xact_lock(6004399391600000)";

absl::Status CheckEncoding(PostgresConnection& connection) {
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows,
                        connection.Run("SELECT current_setting('server_encoding')"));
  const std::string encoding = rows.Bytes(0, 0);
  if (encoding == "UTF8") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the database's encoding is ", encoding,
                   ", want UTF8; make one with CREATE DATABASE ... ENCODING 'UTF8'"));
}

absl::StatusOr<int64_t> SchemaVersion(PostgresConnection& connection) {
  SASQ_RETURN_IF_ERROR(
      connection.Execute("CREATE TABLE IF NOT EXISTS sasq_schema (version BIGINT NOT NULL)"));
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows,
                        connection.Run("SELECT coalesce(max(version), 0) FROM sasq_schema"));
  return rows.Int(0, 0);
}

}  // namespace

absl::Status MigratePostgresSchema(PostgresConnection& connection) {
  SASQ_RETURN_IF_ERROR(connection.Run(kLock).status());
  SASQ_RETURN_IF_ERROR(CheckEncoding(connection));
  SASQ_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(connection));
  if (version > kPostgresSchemaVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("the database has schema version ", version, ", this program knows ",
                     kPostgresSchemaVersion, "; run the newer sasqd that wrote it"));
  }
  if (version == kPostgresSchemaVersion) return absl::OkStatus();
  for (int64_t v = version; v < kPostgresSchemaVersion; ++v) {
    SASQ_RETURN_IF_ERROR(connection.Execute(kMigrations[v]));
  }
  return connection.Execute(absl::StrCat(
      "DELETE FROM sasq_schema; INSERT INTO sasq_schema VALUES (", kPostgresSchemaVersion, ")"));
}

}  // namespace sasq
