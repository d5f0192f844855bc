#include "server/postgres.h"

#include <endian.h>
#include <libpq-fe.h>

#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

struct OptionsDeleter {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using ConnectionOptions = std::unique_ptr<PQconninfoOption, OptionsDeleter>;

// Null if the URL cannot be read.
ConnectionOptions ParseUrl(const std::string& url) {
  char* error = nullptr;
  ConnectionOptions options(PQconninfoParse(url.c_str(), &error));
  PQfreemem(error);  // it may quote the URL
  return options;
}

// libpq's messages have several lines.
std::string OneLine(absl::string_view message) {
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(message), {{"\n", "; "}, {"\t", ""}});
}

absl::Status Unavailable(absl::string_view message) {
  return WithReason(absl::UnavailableError(absl::StrCat("PostgreSQL: ", message)),
                    "STORE_UNAVAILABLE");
}

// https://www.postgresql.org/docs/15/errcodes-appendix.html
absl::Status StatusOfSqlState(absl::string_view state, absl::string_view message) {
  const std::string text = absl::StrCat("PostgreSQL: ", message, " (", state, ")");
  if (state == "53100") {
    return WithReason(
        absl::ResourceExhaustedError(absl::StrCat(text, "; free some space and try again")),
        "STORAGE_FULL");
  }
  if (state == "XX001" || state == "XX002") {
    return WithReason(absl::DataLossError(absl::StrCat(text, "; restore it from a backup")),
                      "STORE_DAMAGED");
  }
  return WithReason(absl::UnavailableError(text), "STORE_UNAVAILABLE");
}

// A serialization failure or a deadlock.
bool MayPass(absl::string_view state) { return state == "40001" || state == "40P01"; }

}  // namespace

absl::Status CheckPostgresUrl(const std::string& url) {
  const bool is_url =
      absl::StartsWith(url, "postgres://") || absl::StartsWith(url, "postgresql://");
  if (is_url && ParseUrl(url) != nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the job store is no URL that PostgreSQL's libpq can read, want "
      "`postgres://USER@HOST:PORT/DATABASE`; it is not shown, since it may hold a password");
}

bool HasPassword(const std::string& url) {
  const ConnectionOptions options = ParseUrl(url);
  if (options == nullptr) return false;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    const absl::string_view keyword = option->keyword;
    if ((keyword == "password" || keyword == "sslpassword") && option->val != nullptr) return true;
  }
  return false;
}

PostgresValues& PostgresValues::Int(int64_t value) {
  values_.push_back({.bytes = absl::StrCat(value)});
  return *this;
}

PostgresValues& PostgresValues::Text(absl::string_view value) {
  values_.push_back({.bytes = std::string(value)});
  return *this;
}

PostgresValues& PostgresValues::Bytes(absl::string_view value) {
  values_.push_back({.bytes = std::string(value), .is_binary = true});
  return *this;
}

PostgresValues& PostgresValues::Null() {
  values_.push_back({.bytes = "", .is_null = true});
  return *this;
}

PostgresValues& PostgresValues::Time(absl::Time value) {
  return value == absl::InfiniteFuture() ? Null() : Int(absl::ToUnixMicros(value));
}

void PostgresRows::Deleter::operator()(pg_result* result) const { PQclear(result); }

int PostgresRows::size() const { return PQntuples(result_.get()); }

int64_t PostgresRows::changed_rows() const {
  int64_t count = 0;
  return absl::SimpleAtoi(PQcmdTuples(result_.get()), &count) ? count : 0;
}

// Results are binary: integers in network order.
int64_t PostgresRows::Int(int row, int column) const {
  const int length = PQgetlength(result_.get(), row, column);
  const char* const value = PQgetvalue(result_.get(), row, column);
  if (length == 1) return value[0];
  uint64_t big_endian = 0;
  if (length != sizeof(big_endian)) return 0;
  std::memcpy(&big_endian, value, sizeof(big_endian));
  return static_cast<int64_t>(be64toh(big_endian));
}

std::string PostgresRows::Bytes(int row, int column) const {
  return std::string(PQgetvalue(result_.get(), row, column),
                     static_cast<size_t>(PQgetlength(result_.get(), row, column)));
}

absl::Time PostgresRows::Time(int row, int column) const {
  if (PQgetisnull(result_.get(), row, column) != 0) return absl::InfiniteFuture();
  return absl::FromUnixMicros(Int(row, column));
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresConnection::Open(
    const PostgresOptions& options) {
  SASQ_RETURN_IF_ERROR(CheckPostgresUrl(options.url));
  const std::string timeout = absl::StrCat(absl::ToInt64Seconds(options.connect_timeout));
  // What comes later wins: the URL over these. A connection whose other end is silent is given up
  // after 20 seconds.
  const char* const keywords[] = {"application_name",     "connect_timeout",
                                  "keepalives_idle",      "keepalives_interval",
                                  "keepalives_count",     "tcp_user_timeout",
                                  "target_session_attrs", "dbname",
                                  "client_encoding",      nullptr};
  const char* const values[] = {"sasqd",      timeout.c_str(),     "10",   "5",    "2", "20000",
                                "read-write", options.url.c_str(), "UTF8", nullptr};
  std::unique_ptr<PostgresConnection> connection(
      new PostgresConnection(PQconnectdbParams(keywords, values, /*expand_dbname=*/1)));
  if (PQstatus(connection->connection_) != CONNECTION_OK) {
    return Unavailable(OneLine(PQerrorMessage(connection->connection_)));
  }
  PQsetNoticeProcessor(
      connection->connection_, [](void*, const char*) {}, nullptr);
  const int64_t milliseconds = absl::ToInt64Milliseconds(options.statement_timeout);
  SASQ_RETURN_IF_ERROR(
      connection->Execute(absl::StrCat("SET statement_timeout = ", milliseconds,
                                       "; SET idle_in_transaction_session_timeout = ", milliseconds,
                                       "; SELECT set_config('synchronous_commit', 'on', false) "
                                       "WHERE current_setting('synchronous_commit') = 'off'")));
  return connection;
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

bool PostgresConnection::is_broken() const {
  return is_unusable_ || PQstatus(connection_) != CONNECTION_OK;
}

absl::Status PostgresConnection::ErrorOf(const pg_result* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (state == nullptr) {
    failure_passes_ = is_broken();
    return Unavailable(OneLine(PQerrorMessage(connection_)));
  }
  is_unusable_ = is_unusable_ || absl::string_view(state) == "25006";  // it takes no writes
  failure_passes_ = MayPass(state) || is_broken();
  return StatusOfSqlState(state, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
}

absl::StatusOr<PostgresRows> PostgresConnection::Run(const char* sql,
                                                     const PostgresValues& values) {
  std::string& name = names_[sql];
  if (name.empty()) {
    const std::string new_name = absl::StrCat("s", ++prepared_count_);
    const PostgresRows prepared(PQprepare(connection_, new_name.c_str(), sql, 0, nullptr));
    pg_result* const result = prepared.get();
    if (PQresultStatus(result) != PGRES_COMMAND_OK) return ErrorOf(result);
    name = new_name;
  }
  std::vector<const char*> data;
  std::vector<int> lengths;
  std::vector<int> formats;
  for (const PostgresValues::Value& value : values.values_) {
    data.push_back(value.is_null ? nullptr : value.bytes.c_str());
    lengths.push_back(static_cast<int>(value.bytes.size()));
    formats.push_back(value.is_binary ? 1 : 0);
  }
  PostgresRows rows(PQexecPrepared(connection_, name.c_str(), static_cast<int>(data.size()),
                                   data.data(), lengths.data(), formats.data(),
                                   /*resultFormat=*/1));
  const ExecStatusType status = PQresultStatus(rows.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return ErrorOf(rows.get());
  return rows;
}

absl::Status PostgresConnection::Execute(const std::string& sql) {
  const PostgresRows rows(PQexec(connection_, sql.c_str()));
  const ExecStatusType status = PQresultStatus(rows.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return absl::OkStatus();
  return ErrorOf(rows.get());
}

absl::Status PostgresConnection::Transaction(PostgresAccess access,
                                             absl::FunctionRef<absl::Status()> body,
                                             PostgresFailure& failure) {
  failure_passes_ = false;
  absl::Status status =
      Execute(access == PostgresAccess::kWrite ? "BEGIN"
                                               : "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  if (status.ok()) status = body();
  if (!status.ok()) {
    failure = failure_passes_ ? PostgresFailure::kMayPass : PostgresFailure::kFinal;
    // If this fails the connection is of no use, and the server rolls back when it is closed.
    is_unusable_ = is_unusable_ || !Execute("ROLLBACK").ok();
    return status;
  }
  const PostgresRows committed(PQexec(connection_, "COMMIT"));
  if (PQresultStatus(committed.get()) == PGRES_COMMAND_OK &&
      absl::string_view(PQcmdStatus(committed.get())) == "COMMIT") {
    return status;
  }
  status = ErrorOf(committed.get());
  if (access == PostgresAccess::kWrite && is_broken()) {
    failure = PostgresFailure::kUnknown;
    return Unavailable(absl::StrCat("the connection was lost during a commit, and it is not known ",
                                    "whether that took place; ask again (", status.message(), ")"));
  }
  failure = failure_passes_ ? PostgresFailure::kMayPass : PostgresFailure::kFinal;
  return status;
}

absl::StatusOr<std::vector<std::string>> PostgresConnection::TakeNotices() {
  if (PQconsumeInput(connection_) == 0) return ErrorOf(nullptr);
  std::vector<std::string> payloads;
  while (PGnotify* notice = PQnotifies(connection_)) {
    payloads.emplace_back(notice->extra);
    PQfreemem(notice);
  }
  return payloads;
}

int PostgresConnection::socket() const { return PQsocket(connection_); }

}  // namespace sasq
