// SQLite's C interface as connections and statements that close themselves and answer in statuses.
#ifndef SASQ_SERVER_SQLITE_H_
#define SASQ_SERVER_SQLITE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace sasq {

// Whether a transaction means to write.
enum class SqliteAccess { kRead, kWrite };

// A prepared statement in use. Parameters are bound in order; it is reset when it goes out of
// scope. One thread.
class SqliteStatement {
 public:
  SqliteStatement(sqlite3* database, sqlite3_stmt* statement);
  ~SqliteStatement();
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;

  SqliteStatement& Bind(int64_t value);
  SqliteStatement& BindText(absl::string_view value);
  SqliteStatement& BindBlob(absl::string_view value);
  SqliteStatement& BindNull();
  // Microseconds since 1970; NULL for an infinite time.
  SqliteStatement& BindTime(absl::Time value);

  // Goes to the next row. False: there is none.
  absl::StatusOr<bool> Step();
  // Runs a statement that gives no rows.
  absl::Status Run();

  // Columns of the present row, from 0.
  int64_t Int(int column) const;
  std::string Bytes(int column) const;
  absl::Time Time(int column) const;

 private:
  sqlite3* const database_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int bind_result_ = 0;  // the first result that was not SQLITE_OK
};

// A connection with its prepared statements. One thread at a time.
class SqliteConnection {
 public:
  // Opens or makes the file: WAL, synchronous=FULL, foreign keys, `busy_timeout` for locks that
  // other processes hold.
  static absl::StatusOr<std::unique_ptr<SqliteConnection>> Open(const std::string& path,
                                                                absl::Duration busy_timeout);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Prepares `sql` once; `sql` is a literal that lives forever.
  absl::StatusOr<SqliteStatement> Prepare(const char* sql);
  // Runs statements separated by semicolons.
  absl::Status Execute(const std::string& sql);
  // Runs `body` in a transaction that is committed when it returns OK and rolled back otherwise.
  absl::Status Transaction(SqliteAccess access, absl::FunctionRef<absl::Status()> body);
  // Within a transaction: runs `body`, puts what it returns into `outcome`, and takes back what it
  // wrote unless that is OK. An error means that the whole transaction is lost.
  absl::Status Savepoint(absl::FunctionRef<absl::Status()> body, absl::Status& outcome);
  // Rows that the latest statement changed.
  int64_t changed_rows() const;

 private:
  explicit SqliteConnection(sqlite3* database) : database_(database) {}

  sqlite3* const database_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_H_
