#include "server/sqlite_schema.h"

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

// kMigrations[i] leads from version i to version i + 1. Never edit one that was released.
// Times are microseconds since 1970. `job` is a serialized sasq.v1.Job and `artifact` a serialized
// sasq.v1.Artifact; the other columns are what is searched, and what only the coordinator knows.
// State 1 is JOB_STATE_QUEUED.
constexpr const char* kMigrations[kSqliteSchemaVersion] = {
    R"sql(
CREATE TABLE jobs (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  state INTEGER NOT NULL,
  device_kind INTEGER NOT NULL,
  request_id TEXT UNIQUE,
  spec_fingerprint TEXT NOT NULL,
  queue_time INTEGER NOT NULL,
  log_size_bytes INTEGER NOT NULL,
  log_truncated INTEGER NOT NULL,
  lease_token TEXT NOT NULL,
  lease_worker TEXT,
  lease_instance TEXT NOT NULL,
  lease_confirmed INTEGER NOT NULL,
  lease_expire_time INTEGER,
  completed_token TEXT NOT NULL,
  job BLOB NOT NULL
);
CREATE INDEX jobs_by_state ON jobs (state, position);
CREATE INDEX jobs_by_position ON jobs (position DESC, state);
CREATE INDEX jobs_to_lease ON jobs (device_kind, position) WHERE state = 1;
CREATE INDEX jobs_by_queue_time ON jobs (queue_time) WHERE state = 1;
CREATE INDEX jobs_by_lease_expiry ON jobs (lease_expire_time) WHERE lease_expire_time IS NOT NULL;
CREATE INDEX jobs_by_lease_holder ON jobs (lease_worker) WHERE lease_worker IS NOT NULL;
CREATE TABLE job_logs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  start_offset INTEGER NOT NULL,
  data BLOB NOT NULL,
  PRIMARY KEY (job_id, start_offset)
);
CREATE TABLE job_checkpoints (
  job_id TEXT PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  data BLOB NOT NULL
);
CREATE TABLE artifacts (
  job_id TEXT PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  artifact BLOB NOT NULL
);
CREATE TABLE artifact_blobs (
  job_id TEXT NOT NULL REFERENCES artifacts (job_id) ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (job_id, sha256)
);
CREATE INDEX artifact_blobs_by_digest ON artifact_blobs (sha256);
)sql",
    // Blobs that the specs of jobs name, and blobs that were uploaded for jobs to come.
    R"sql(
CREATE TABLE job_inputs (
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  sha256 TEXT NOT NULL,
  PRIMARY KEY (job_id, sha256)
);
CREATE INDEX job_inputs_by_digest ON job_inputs (sha256);
CREATE TABLE uploads (
  sha256 TEXT PRIMARY KEY NOT NULL,
  time INTEGER NOT NULL
);
CREATE INDEX uploads_by_time ON uploads (time);
)sql",
    // Tenants, the order of leasing (LeaseRank), selectors, pauses, timeouts, retention, scales so
    // far, content keys. Request ids become unique within a tenant: `request_key` is the tenant and
    // the id with a newline between them.
    R"sql(
DROP INDEX jobs_to_lease;
ALTER TABLE jobs RENAME COLUMN request_id TO request_key;
UPDATE jobs SET request_key = char(10) || request_key WHERE request_key IS NOT NULL;
ALTER TABLE jobs ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN rank INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN min_memory_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN device_kinds INTEGER NOT NULL DEFAULT 6;
ALTER TABLE jobs ADD COLUMN ready_time INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN attempt_expire_time INTEGER;
ALTER TABLE jobs ADD COLUMN end_time INTEGER;
UPDATE jobs SET rank = queue_time - 30000000000;  -- the default priority, 500 minutes
UPDATE jobs SET device_kinds = 1 << device_kind WHERE device_kind <> 0;
UPDATE jobs SET end_time = queue_time WHERE state > 3;
ALTER TABLE jobs DROP COLUMN device_kind;
CREATE INDEX jobs_to_lease
  ON jobs (rank, position, device_kinds, min_memory_bytes, ready_time, tenant) WHERE state = 1;
CREATE INDEX jobs_queued_by_tenant ON jobs (tenant) WHERE state = 1;
CREATE INDEX jobs_leased_by_tenant ON jobs (tenant) WHERE state IN (2, 3);
CREATE INDEX jobs_by_tenant ON jobs (tenant, position DESC, state);
CREATE INDEX jobs_by_end_time ON jobs (state, end_time) WHERE end_time IS NOT NULL;
CREATE TABLE job_best_scales (
  job_id TEXT PRIMARY KEY NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  data BLOB NOT NULL
);
CREATE TABLE job_content_keys (
  tenant TEXT NOT NULL,
  key TEXT NOT NULL,
  job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
  PRIMARY KEY (tenant, key, job_id)
);
CREATE INDEX job_content_keys_by_job ON job_content_keys (job_id);
)sql",
    // Whose an upload is.
    R"sql(
CREATE TABLE tenant_uploads (
  sha256 TEXT NOT NULL,
  tenant TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (sha256, tenant)
);
INSERT INTO tenant_uploads SELECT sha256, '', time FROM uploads;
DROP TABLE uploads;
ALTER TABLE tenant_uploads RENAME TO uploads;
CREATE INDEX uploads_by_time ON uploads (time);
)sql",
    // Blobs that are being put or referred to, or removed.
    R"sql(
CREATE TABLE blob_holds (
  sha256 TEXT NOT NULL,
  holder TEXT NOT NULL,
  time INTEGER NOT NULL,
  PRIMARY KEY (sha256, holder)
);
CREATE INDEX blob_holds_by_time ON blob_holds (time);
CREATE INDEX blob_holds_by_holder ON blob_holds (holder);
CREATE TABLE blob_removals (
  sha256 TEXT PRIMARY KEY NOT NULL,
  time INTEGER NOT NULL,
  remover TEXT NOT NULL
);
)sql",
};

absl::StatusOr<int64_t> SchemaVersion(SqliteConnection& connection) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare("PRAGMA user_version"));
  SASQ_RETURN_IF_ERROR(statement.Step().status());
  return statement.Int(0);
}

}  // namespace

absl::Status MigrateSqliteSchema(SqliteConnection& connection) {
  return connection.Transaction(SqliteAccess::kWrite, [&]() -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(const int64_t version, SchemaVersion(connection));
    if (version > kSqliteSchemaVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat("the database has schema version ", version, ", this program knows ",
                       kSqliteSchemaVersion, "; run the newer sasqd that wrote it"));
    }
    for (int64_t v = version; v < kSqliteSchemaVersion; ++v) {
      SASQ_RETURN_IF_ERROR(connection.Execute(kMigrations[v]));
    }
    return connection.Execute(absl::StrCat("PRAGMA user_version = ", kSqliteSchemaVersion));
  });
}

}  // namespace sasq
