#include "server/sqlite_blob_references.h"

#include "common/status_macros.h"
#include "server/job_store.h"
#include "server/job_store_errors.h"
#include "server/spec_uploads.h"

namespace sasq {
namespace {

// The first column of every row.
absl::StatusOr<std::vector<std::string>> AllRows(SqliteStatement& statement) {
  std::vector<std::string> rows;
  while (true) {
    SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
    if (!found) return rows;
    rows.push_back(statement.Bytes(0));
  }
}

// UNAVAILABLE (BLOB_IN_REMOVAL).
absl::Status CheckNotInRemoval(SqliteConnection& connection, const std::string& digest) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT EXISTS (SELECT 1 FROM blob_removals WHERE sha256 = ?)"));
  SASQ_RETURN_IF_ERROR(statement.BindText(digest).Step().status());
  return statement.Int(0) == 0 ? absl::OkStatus() : BlobInRemoval(digest);
}

}  // namespace

absl::Status WriteInputReferences(SqliteConnection& connection, absl::string_view id,
                                  const v1::JobSpec& spec) {
  for (const v1::UploadedFile* file : UploadsOf(spec)) {
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare("INSERT OR IGNORE INTO job_inputs (job_id, sha256) VALUES (?, ?)"));
    SASQ_RETURN_IF_ERROR(statement.BindText(id).BindText(file->sha256()).Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ReferencesOfJob(SqliteConnection& connection,
                                                         absl::string_view id) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT sha256 FROM artifact_blobs WHERE job_id = ?1 "
                         "UNION SELECT sha256 FROM job_inputs WHERE job_id = ?1"));
  statement.BindText(id);
  return AllRows(statement);
}

absl::StatusOr<bool> IsReferenced(SqliteConnection& connection, absl::string_view sha256) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("SELECT EXISTS (SELECT 1 FROM artifact_blobs WHERE sha256 = ?1) OR "
                         "EXISTS (SELECT 1 FROM job_inputs WHERE sha256 = ?1) OR "
                         "EXISTS (SELECT 1 FROM uploads WHERE sha256 = ?1) OR "
                         "EXISTS (SELECT 1 FROM blob_holds WHERE sha256 = ?1)"));
  SASQ_RETURN_IF_ERROR(statement.BindText(sha256).Step().status());
  return statement.Int(0) != 0;
}

absl::StatusOr<bool> IsReferencedBy(SqliteConnection& connection, absl::string_view tenant,
                                    absl::string_view sha256) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare(
          "SELECT EXISTS (SELECT 1 FROM artifact_blobs JOIN jobs ON jobs.id = job_id "
          "WHERE sha256 = ?1 AND tenant = ?2) OR "
          "EXISTS (SELECT 1 FROM job_inputs JOIN jobs ON jobs.id = job_id "
          "WHERE sha256 = ?1 AND tenant = ?2) OR "
          "EXISTS (SELECT 1 FROM uploads WHERE sha256 = ?1 AND tenant = ?2)"));
  SASQ_RETURN_IF_ERROR(statement.BindText(sha256).BindText(tenant).Step().status());
  return statement.Int(0) != 0;
}

absl::Status WriteUploads(SqliteConnection& connection, absl::string_view tenant,
                          const std::vector<std::string>& digests, absl::Time time) {
  for (const std::string& digest : digests) {
    SASQ_RETURN_IF_ERROR(CheckNotInRemoval(connection, digest));
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare("INSERT OR REPLACE INTO uploads (sha256, tenant, time) "
                           "VALUES (?, ?, ?)"));
    SASQ_RETURN_IF_ERROR(statement.BindText(digest).BindText(tenant).BindTime(time).Run());
  }
  return absl::OkStatus();
}

absl::Status WriteHolds(SqliteConnection& connection, const std::string& holder,
                        const std::vector<std::string>& digests, absl::Time time) {
  for (const std::string& digest : digests) {
    SASQ_RETURN_IF_ERROR(CheckNotInRemoval(connection, digest));
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare("INSERT OR REPLACE INTO blob_holds (sha256, holder, time) "
                           "VALUES (?, ?, ?)"));
    SASQ_RETURN_IF_ERROR(statement.BindText(digest).BindText(holder).BindTime(time).Run());
  }
  return absl::OkStatus();
}

absl::Status RemoveHolder(SqliteConnection& connection, const std::string& holder) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                        connection.Prepare("DELETE FROM blob_holds WHERE holder = ?"));
  return statement.BindText(holder).Run();
}

absl::StatusOr<bool> MarkRemoval(SqliteConnection& connection, const std::string& sha256,
                                 const std::string& remover, absl::Time now) {
  SASQ_ASSIGN_OR_RETURN(const bool referenced, IsReferenced(connection, sha256));
  if (referenced) return false;
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("INSERT INTO blob_removals (sha256, time, remover) VALUES (?1, ?2, ?4) "
                         "ON CONFLICT (sha256) DO UPDATE SET time = ?2, remover = ?4 "
                         "WHERE time <= ?3"));
  SASQ_RETURN_IF_ERROR(statement.BindText(sha256)
                           .BindTime(now)
                           .BindTime(now - JobStore::kBlobRemovalTimeout)
                           .BindText(remover)
                           .Run());
  return connection.changed_rows() > 0;
}

absl::Status UnmarkRemoval(SqliteConnection& connection, const std::string& sha256,
                           const std::string& remover) {
  SASQ_ASSIGN_OR_RETURN(
      SqliteStatement statement,
      connection.Prepare("DELETE FROM blob_removals WHERE sha256 = ? AND remover = ?"));
  return statement.BindText(sha256).BindText(remover).Run();
}

absl::StatusOr<std::vector<std::string>> RemovalsBefore(SqliteConnection& connection,
                                                        absl::Time time) {
  SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                        connection.Prepare("SELECT sha256 FROM blob_removals WHERE time <= ?"));
  statement.BindTime(time);
  return AllRows(statement);
}

absl::Status ForgetHoldersAndRemovals(SqliteConnection& connection) {
  return connection.Execute("DELETE FROM blob_holds; DELETE FROM blob_removals");
}

absl::StatusOr<std::vector<std::string>> RemoveUploadsBefore(SqliteConnection& connection,
                                                             absl::Time time) {
  std::vector<std::string> digests;
  for (const char* sql : {"DELETE FROM uploads WHERE time < ? RETURNING sha256",
                          "DELETE FROM blob_holds WHERE time < ? RETURNING sha256"}) {
    SASQ_ASSIGN_OR_RETURN(SqliteStatement statement, connection.Prepare(sql));
    statement.BindTime(time);
    SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> removed, AllRows(statement));
    digests.insert(digests.end(), removed.begin(), removed.end());
  }
  return digests;
}

}  // namespace sasq
