// Changes of jobs as notices of PostgreSQL: sent in the transaction that makes the change, so that
// they arrive once it is durable, and heard by a thread of each coordinator.
//
// A notice is `ORIGIN FLAGS JOB_ID`: who made the change, and letters for what StoreChange says.
// https://www.postgresql.org/docs/15/sql-notify.html
#ifndef SASQ_SERVER_POSTGRES_NOTICES_H_
#define SASQ_SERVER_POSTGRES_NOTICES_H_

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/descriptor.h"
#include "server/postgres.h"
#include "server/store_changes.h"

namespace sasq {

// Within a transaction of the caller. `origin`: the store that makes the change, without spaces.
absl::Status SendNotice(PostgresConnection& connection, absl::string_view origin,
                        const StoreChange& change);

// The change in a payload that another than `origin` sent; nullopt for its own and for what is no
// notice of ours.
std::optional<StoreChange> ParseNotice(absl::string_view payload, absl::string_view origin);

// Hears notices until it is destroyed. A connection that is lost is opened again, with pauses that
// grow to five seconds; `changes` is told of a gap at the begin and after each break.
class PostgresListener {
 public:
  // `changes` outlives this.
  PostgresListener(PostgresOptions options, std::string origin, StoreChanges& changes);
  ~PostgresListener();
  PostgresListener(const PostgresListener&) = delete;
  PostgresListener& operator=(const PostgresListener&) = delete;

 private:
  void Run();
  // Hears until the connection is lost or this is to stop.
  absl::Status Listen(PostgresConnection& connection);
  // Waits for something to read on `socket` (-1: nothing), for the end of `timeout` (negative:
  // none), or for a stop. False: it is to stop.
  bool WaitFor(int socket, absl::Duration timeout);

  const PostgresOptions options_;
  const std::string origin_;
  StoreChanges& changes_;
  const Descriptor stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_NOTICES_H_
