// PostgreSQL's C interface (libpq) as connections that close themselves and answer in statuses.
#ifndef SASQ_SERVER_POSTGRES_H_
#define SASQ_SERVER_POSTGRES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

struct pg_conn;
struct pg_result;

namespace sasq {

// What a transaction means to do. One that reads sees one state of the database throughout.
enum class PostgresAccess { kRead, kWrite };

// What is known of a transaction that did not end with OK.
enum class PostgresFailure {
  kFinal,    // it changed nothing
  kMayPass,  // it changed nothing, and may succeed when it runs again: a deadlock, for one
  kUnknown,  // the connection was lost during the commit: nobody knows whether that took place
};

// Values of a statement's parameters, $1 first.
class PostgresValues {
 public:
  PostgresValues& Int(int64_t value);  // bigint
  PostgresValues& Text(absl::string_view value);
  PostgresValues& Bytes(absl::string_view value);  // bytea
  PostgresValues& Null();
  // Microseconds since 1970, bigint; NULL for an infinite time.
  PostgresValues& Time(absl::Time value);

 private:
  friend class PostgresConnection;
  struct Value {
    std::string bytes;
    bool is_null = false;
    bool is_binary = false;
  };
  std::vector<Value> values_;
};

// The rows that a statement gave. Columns are bigint, boolean, text or bytea. Thread-compatible.
class PostgresRows {
 public:
  explicit PostgresRows(pg_result* result) : result_(result) {}

  int size() const;
  pg_result* get() const { return result_.get(); }
  // Rows that the statement wrote.
  int64_t changed_rows() const;
  // Of bigint and boolean; 0 for NULL.
  int64_t Int(int row, int column) const;
  std::string Bytes(int row, int column) const;
  absl::Time Time(int row, int column) const;

 private:
  struct Deleter {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Deleter> result_;
};

struct PostgresOptions {
  // postgres://USER@HOST:PORT/DATABASE?..., as libpq documents it. What it leaves open libpq takes
  // from PGPASSWORD, PGPASSFILE, PGSSLMODE and so on.
  std::string url;
  absl::Duration connect_timeout = absl::Seconds(5);     // whole seconds, at least 2
  absl::Duration statement_timeout = absl::Seconds(30);  // also of a transaction that says nothing
};

// Checks a URL without connecting. INVALID_ARGUMENT never shows it: it may hold a password.
absl::Status CheckPostgresUrl(const std::string& url);
// Whether a password stands in the URL.
bool HasPassword(const std::string& url);

// Errors of every verb: UNAVAILABLE (STORE_UNAVAILABLE), RESOURCE_EXHAUSTED (STORAGE_FULL),
// DATA_LOSS (STORE_DAMAGED). Messages hold no password. One thread at a time.
class PostgresConnection {
 public:
  // Connects to a server that takes writes, and makes every commit durable.
  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(const PostgresOptions& options);
  ~PostgresConnection();
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;

  // Runs a statement that is prepared once; `sql` is a literal that lives forever.
  absl::StatusOr<PostgresRows> Run(const char* sql, const PostgresValues& values = {});
  // Runs statements separated by semicolons.
  absl::Status Execute(const std::string& sql);

  // Runs `body` in a transaction that is committed when it returns OK and rolled back otherwise.
  // UNAVAILABLE if the connection is lost during the commit. After an error `failure` tells more.
  absl::Status Transaction(PostgresAccess access, absl::FunctionRef<absl::Status()> body,
                           PostgresFailure& failure);

  // The connection is lost, or leads to a server that takes no writes any more: drop it.
  bool is_broken() const;

  // Payloads of the notices (LISTEN) that have arrived. Does not wait; `socket` becomes readable
  // when there may be more.
  absl::StatusOr<std::vector<std::string>> TakeNotices();
  int socket() const;

 private:
  explicit PostgresConnection(pg_conn* connection) : connection_(connection) {}
  // The status of a result that was not good.
  absl::Status ErrorOf(const pg_result* result);

  pg_conn* const connection_;
  std::unordered_map<const char*, std::string> names_;  // of prepared statements
  int prepared_count_ = 0;
  bool is_unusable_ = false;
  bool failure_passes_ = false;  // of the last error: a deadlock, for one
};

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_H_
