// The workers of every coordinator as rows of PostgreSQL's tables.
#ifndef SASQ_SERVER_POSTGRES_WORKERS_H_
#define SASQ_SERVER_POSTGRES_WORKERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/postgres.h"
#include "server/shared_worker.h"

namespace sasq {

// JobStore::ShareWorkers for `coordinator`, within a transaction of the caller.
absl::StatusOr<std::vector<SharedWorker>> ExchangeWorkers(PostgresConnection& connection,
                                                          const std::string& coordinator,
                                                          const std::vector<SharedWorker>& changed,
                                                          absl::Time oldest);

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_WORKERS_H_
