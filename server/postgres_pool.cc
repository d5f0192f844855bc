#include "server/postgres_pool.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "common/status_macros.h"

namespace sasq {
namespace {

constexpr int kMaxTries = 5;

}  // namespace

absl::Duration Backoff::NextPause() {
  const absl::Duration pause = pause_;
  pause_ = std::min(2 * pause_, kLast);
  return pause;
}

absl::Status PostgresPool::Transaction(PostgresAccess access, Body body) {
  for (int tries = 1;; ++tries) {
    SASQ_ASSIGN_OR_RETURN(std::unique_ptr<PostgresConnection> connection, Borrow());
    PostgresFailure failure = PostgresFailure::kFinal;
    absl::Status status = connection->Transaction(
        access, [&] { return body(*connection); }, failure);
    Return(std::move(connection));
    if (status.ok()) return status;
    if (failure == PostgresFailure::kUnknown) options_.on_unknown_commit();
    if (failure != PostgresFailure::kMayPass || tries == kMaxTries) return status;
  }
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresPool::Borrow() {
  {
    MutexLock lock(&mutex_);
    while (idle_.empty() && connection_count_ >= options_.max_connections) {
      returned_.Wait(&mutex_);
    }
    if (!idle_.empty()) {
      std::unique_ptr<PostgresConnection> connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    if (!connect_status_.ok()) {
      if (is_probing_ || options_.clock->Now() < next_connect_time_) return connect_status_;
      is_probing_ = true;
    }
    ++connection_count_;
  }
  return Connect();
}

absl::StatusOr<std::unique_ptr<PostgresConnection>> PostgresPool::Connect() {
  absl::StatusOr<std::unique_ptr<PostgresConnection>> connection =
      PostgresConnection::Open(options_.connection);
  MutexLock lock(&mutex_);
  is_probing_ = false;
  if (connection.ok()) {
    if (!connect_status_.ok()) LogInfo("store_connected");
    backoff_.Reset();
  } else {
    if (connect_status_.ok()) LogWarning("store_lost", {{"error", connection.status()}});
    --connection_count_;
    next_connect_time_ = options_.clock->Now() + backoff_.NextPause();
    returned_.Signal();
  }
  connect_status_ = connection.status();
  return connection;
}

void PostgresPool::Return(std::unique_ptr<PostgresConnection> connection) {
  std::vector<std::unique_ptr<PostgresConnection>> lost;  // closed outside the lock
  MutexLock lock(&mutex_);
  if (!connection->is_broken()) {
    idle_.push_back(std::move(connection));
  } else {
    // What made one break has most likely broken the others too.
    lost.swap(idle_);
    lost.push_back(std::move(connection));
    connection_count_ -= static_cast<int>(lost.size());
  }
  returned_.SignalAll();
}

}  // namespace sasq
