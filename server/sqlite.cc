#include "server/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

absl::Status SqliteError(sqlite3* database, int result) {
  const char* file = sqlite3_db_filename(database, "main");
  const std::string message = absl::StrCat(file != nullptr ? file : "database", ": ",
                                           sqlite3_errmsg(database), " (", result, ")");
  switch (result & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return WithReason(absl::UnavailableError(absl::StrCat(
                            message, "; another process holds its lock, end it or try again")),
                        "STORE_UNAVAILABLE");
    case SQLITE_FULL:
      return WithReason(
          absl::ResourceExhaustedError(absl::StrCat(message, "; free some space and try again")),
          "STORAGE_FULL");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return WithReason(absl::DataLossError(absl::StrCat(message, "; restore it from a backup")),
                        "STORE_DAMAGED");
    default:
      return WithReason(absl::UnavailableError(message), "STORE_UNAVAILABLE");
  }
}

}  // namespace

SqliteStatement::SqliteStatement(sqlite3* database, sqlite3_stmt* statement)
    : database_(database), statement_(statement) {}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      bind_result_(other.bind_result_) {}

SqliteStatement::~SqliteStatement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

SqliteStatement& SqliteStatement::Bind(int64_t value) {
  const int result = sqlite3_bind_int64(statement_, ++bound_, value);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
  return *this;
}

// Bound strings are copied: a statement may outlive the argument of its Bind.
SqliteStatement& SqliteStatement::BindText(absl::string_view value) {
  const int result = sqlite3_bind_text64(statement_, ++bound_, value.empty() ? "" : value.data(),
                                         value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(absl::string_view value) {
  const int result = sqlite3_bind_blob64(statement_, ++bound_, value.empty() ? "" : value.data(),
                                         value.size(), SQLITE_TRANSIENT);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
  return *this;
}

SqliteStatement& SqliteStatement::BindNull() {
  const int result = sqlite3_bind_null(statement_, ++bound_);
  if (bind_result_ == SQLITE_OK) bind_result_ = result;
  return *this;
}

SqliteStatement& SqliteStatement::BindTime(absl::Time value) {
  return value == absl::InfiniteFuture() ? BindNull() : Bind(absl::ToUnixMicros(value));
}

absl::StatusOr<bool> SqliteStatement::Step() {
  if (bind_result_ != SQLITE_OK) return SqliteError(database_, bind_result_);
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return SqliteError(database_, result);
}

absl::Status SqliteStatement::Run() { return Step().status(); }

int64_t SqliteStatement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqliteStatement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size_bytes = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size_bytes);
}

absl::Time SqliteStatement::Time(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return absl::InfiniteFuture();
  return absl::FromUnixMicros(Int(column));
}

absl::StatusOr<std::unique_ptr<SqliteConnection>> SqliteConnection::Open(
    const std::string& path, absl::Duration busy_timeout) {
  sqlite3* database = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &database,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (result != SQLITE_OK) {
    absl::Status status = WithReason(
        absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", sqlite3_errstr(result))),
        "STORE_UNAVAILABLE");
    sqlite3_close_v2(database);
    return status;
  }
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(database));
  sqlite3_extended_result_codes(database, 1);
  sqlite3_busy_timeout(database, static_cast<int>(absl::ToInt64Milliseconds(busy_timeout)));
  SASQ_RETURN_IF_ERROR(connection->Execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"));
  return connection;
}

SqliteConnection::~SqliteConnection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(database_);
}

absl::StatusOr<SqliteStatement> SqliteConnection::Prepare(const char* sql) {
  sqlite3_stmt*& statement = statements_[sql];
  if (statement == nullptr) {
    const int result =
        sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (result != SQLITE_OK) return SqliteError(database_, result);
  }
  return SqliteStatement(database_, statement);
}

absl::Status SqliteConnection::Execute(const std::string& sql) {
  const int result = sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr);
  return result == SQLITE_OK ? absl::OkStatus() : SqliteError(database_, result);
}

absl::Status SqliteConnection::Transaction(SqliteAccess access,
                                           absl::FunctionRef<absl::Status()> body) {
  SASQ_RETURN_IF_ERROR(Execute(access == SqliteAccess::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  absl::Status status = body();
  if (status.ok()) status = Execute("COMMIT");
  // After some errors (a full disk) SQLite has rolled back by itself.
  if (!status.ok() && sqlite3_get_autocommit(database_) == 0) {
    const absl::Status rolled_back = Execute("ROLLBACK");
    SASQ_CHECK(rolled_back.ok() || sqlite3_get_autocommit(database_) != 0);
  }
  return status;
}

absl::Status SqliteConnection::Savepoint(absl::FunctionRef<absl::Status()> body,
                                         absl::Status& outcome) {
  SASQ_RETURN_IF_ERROR(Execute("SAVEPOINT step"));
  outcome = body();
  // After some errors (a full disk) SQLite has rolled everything back by itself.
  if (sqlite3_get_autocommit(database_) != 0) return outcome;
  return Execute(outcome.ok() ? "RELEASE step" : "ROLLBACK TO step; RELEASE step");
}

int64_t SqliteConnection::changed_rows() const { return sqlite3_changes64(database_); }

}  // namespace sasq
