// The tables of SqliteJobStore and the way from each version to the next.
#ifndef SASQ_SERVER_SQLITE_SCHEMA_H_
#define SASQ_SERVER_SQLITE_SCHEMA_H_

#include "absl/status/status.h"
#include "server/sqlite.h"

namespace sasq {

// The version that this program reads and writes, kept in SQLite's `user_version`.
inline constexpr int kSqliteSchemaVersion = 5;

// Applies the migrations that the file lacks, in one transaction. FAILED_PRECONDITION if the file
// is of a newer version.
absl::Status MigrateSqliteSchema(SqliteConnection& connection);

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_SCHEMA_H_
