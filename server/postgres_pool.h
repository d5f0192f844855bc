// Connections to PostgreSQL that threads borrow, opened anew when they are lost.
#ifndef SASQ_SERVER_POSTGRES_POOL_H_
#define SASQ_SERVER_POSTGRES_POOL_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "server/postgres.h"

namespace sasq {

// When what failed is tried again: with twice the pause after every failure in a row.
class Backoff {
 public:
  absl::Duration NextPause();
  void Reset() { pause_ = kFirst; }

 private:
  static constexpr absl::Duration kFirst = absl::Milliseconds(50);
  static constexpr absl::Duration kLast = absl::Seconds(5);
  absl::Duration pause_ = kFirst;
};

// Thread-safe. No lock is held while PostgreSQL works.
class PostgresPool {
 public:
  struct Options {
    PostgresOptions connection;
    int max_connections = 4;  // 1..64
    const Clock* clock = Clock::Real();
    // Called after a transaction of which nobody knows whether it took place.
    std::function<void()> on_unknown_commit = [] {};
  };

  explicit PostgresPool(Options options) : options_(std::move(options)) {}

  using Body = absl::FunctionRef<absl::Status(PostgresConnection&)>;

  // Runs `body` in a transaction on a borrowed connection, and again, a few times, where it failed
  // for a reason that may pass and surely changed nothing: a deadlock, or a connection that the
  // server closed meanwhile. While the server cannot be reached, fails at once between tries to
  // reach it. Errors: those of PostgresConnection, and of `body`.
  absl::Status Transaction(PostgresAccess access, Body body) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  absl::StatusOr<std::unique_ptr<PostgresConnection>> Borrow() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::unique_ptr<PostgresConnection>> Connect() ABSL_LOCKS_EXCLUDED(mutex_);
  void Return(std::unique_ptr<PostgresConnection> connection) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<PostgresConnection>> idle_ ABSL_GUARDED_BY(mutex_);
  int connection_count_ ABSL_GUARDED_BY(mutex_) = 0;  // idle, borrowed or being opened
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_connect_time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  absl::Status connect_status_ ABSL_GUARDED_BY(mutex_);  // of the last try
  bool is_probing_ ABSL_GUARDED_BY(mutex_) = false;      // one tries whether it is back
};

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_POOL_H_
