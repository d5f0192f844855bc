#include "server/postgres_workers.h"

#include "common/status_macros.h"
#include "server/job_store_errors.h"

namespace sasq {
namespace {

absl::Status WriteWorker(PostgresConnection& connection, const std::string& coordinator,
                         const SharedWorker& worker) {
  PostgresValues values;
  values.Text(worker.worker.id())
      .Text(coordinator)
      .Text(worker.instance_id)
      .Time(worker.last_seen)
      .Int(worker.draining ? 1 : 0)
      .Bytes(worker.worker.SerializeAsString());
  // A worker that has changed its coordinator is the newer one's.
  return connection
      .Run(
          "INSERT INTO workers (id, coordinator, instance, last_seen, draining, worker) "
          "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET coordinator = $2, "
          "instance = $3, last_seen = $4, draining = $5, worker = $6 "
          "WHERE workers.last_seen <= $4",
          values)
      .status();
}

}  // namespace

absl::StatusOr<std::vector<SharedWorker>> ExchangeWorkers(PostgresConnection& connection,
                                                          const std::string& coordinator,
                                                          const std::vector<SharedWorker>& changed,
                                                          absl::Time oldest) {
  for (const SharedWorker& worker : changed) {
    SASQ_RETURN_IF_ERROR(WriteWorker(connection, coordinator, worker));
  }
  PostgresValues forgotten;
  forgotten.Time(oldest);
  SASQ_RETURN_IF_ERROR(
      connection.Run("DELETE FROM workers WHERE last_seen < $1", forgotten).status());
  PostgresValues self;
  self.Text(coordinator);
  SASQ_ASSIGN_OR_RETURN(const PostgresRows rows,
                        connection.Run("SELECT instance, last_seen, draining, worker FROM workers "
                                       "WHERE coordinator <> $1",
                                       self));
  std::vector<SharedWorker> others;
  for (int row = 0; row < rows.size(); ++row) {
    SharedWorker& worker = others.emplace_back();
    worker.instance_id = rows.Bytes(row, 0);
    worker.last_seen = rows.Time(row, 1);
    worker.draining = rows.Int(row, 2) != 0;
    if (!worker.worker.ParseFromString(rows.Bytes(row, 3))) {
      return StoredDataDamaged("list of workers");
    }
  }
  return others;
}

}  // namespace sasq
