// The tables that a PostgresJobStore keeps, and how they change from version to version.
#ifndef SASQ_SERVER_POSTGRES_SCHEMA_H_
#define SASQ_SERVER_POSTGRES_SCHEMA_H_

#include "absl/status/status.h"
#include "server/postgres.h"

namespace sasq {

inline constexpr int kPostgresSchemaVersion = 1;

// Brings the schema up to date; of coordinators that start at once, one at a time does.
// FAILED_PRECONDITION if a newer version wrote it, or if the database is not in UTF-8.
absl::Status MigratePostgresSchema(PostgresConnection& connection);

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_SCHEMA_H_
