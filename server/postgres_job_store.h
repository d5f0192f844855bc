// Jobs in a PostgreSQL database: the store of any number of coordinators.
//
// A restart of the database fails what runs with UNAVAILABLE, and the store heals by itself.
// Coordinators hear of one another's changes by notices (postgres_notices.h).
#ifndef SASQ_SERVER_POSTGRES_JOB_STORE_H_
#define SASQ_SERVER_POSTGRES_JOB_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/uid.h"
#include "server/job_store.h"
#include "server/postgres_notices.h"
#include "server/postgres_pool.h"

namespace sasq {

class PostgresJobStore final : public JobStore {
 public:
  // PostgreSQL 15 or newer.
  struct Options {
    PostgresOptions connection;
    int max_connections = 4;  // one more hears notices
    const Clock* clock = Clock::Real();
  };

  // Connects and brings the schema up to date. INVALID_ARGUMENT for a wrong URL;
  // FAILED_PRECONDITION if the database was written by a newer version or is not in UTF-8.
  static absl::StatusOr<std::unique_ptr<PostgresJobStore>> Create(const Options& options);

  // Tells `changes` of changes that other coordinators make, until StopListening. Call it once.
  void Listen(StoreChanges& changes);
  void StopListening() { listener_.reset(); }

  // Limits of a tenant may be passed by as many jobs as are submitted in the same moment.
  absl::StatusOr<JobRecord> Insert(const JobChange& added, int64_t max_queued) override;
  absl::StatusOr<JobRecord> Get(absl::string_view id) override;
  absl::StatusOr<std::vector<JobRecord>> List(const JobFilter& filter, int64_t before_position,
                                              int limit) override;
  absl::StatusOr<JobRecord> Update(absl::string_view id, Change change) override;
  absl::StatusOr<std::optional<LeasedJob>> LeaseNext(const LeaseOffer& offer,
                                                     Change change) override;
  absl::StatusOr<std::optional<LeasedJob>> FindLease(absl::string_view worker_id,
                                                     absl::string_view instance_id) override;
  absl::StatusOr<std::vector<std::string>> ExpiredLeases(absl::Time now, int limit) override;
  absl::StatusOr<LogChunk> ReadLog(absl::string_view id, int64_t offset,
                                   int64_t max_bytes) override;
  absl::StatusOr<v1::Artifact> GetArtifact(absl::string_view id) override;
  absl::StatusOr<std::string> GetBestScales(absl::string_view id) override;
  absl::StatusOr<std::optional<JobRecord>> FindByContentKey(absl::string_view tenant,
                                                            absl::string_view key) override;
  absl::StatusOr<std::vector<std::string>> EndedBefore(v1::JobState state, absl::Time time,
                                                       int limit) override;
  absl::StatusOr<std::vector<std::string>> Delete(
      absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) override;
  absl::Status NoteUploads(absl::string_view tenant, const std::vector<std::string>& digests,
                           absl::Time time) override;
  absl::Status HoldBlobs(const std::string& holder, const std::vector<std::string>& digests,
                         absl::Time time) override;
  absl::Status ReleaseBlobs(const std::string& holder) override;
  absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) override;
  absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) override;
  absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) override;
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256, const std::string& remover,
                                        absl::Time now) override;
  absl::Status EndBlobRemoval(const std::string& sha256, const std::string& remover) override;
  absl::StatusOr<std::vector<std::string>> StaleBlobRemovals(absl::Time now) override;
  absl::StatusOr<std::vector<SharedWorker>> ShareWorkers(const std::vector<SharedWorker>& changed,
                                                         absl::Time oldest) override;
  absl::StatusOr<JobStats> Stats() override;

 private:
  explicit PostgresJobStore(const Options& options);

  // Runs `body`, which fills in the result, in a transaction. It may run again: the result is made
  // anew each time.
  template <typename Result>
  absl::StatusOr<Result> Run(PostgresAccess access,
                             absl::FunctionRef<absl::Status(PostgresConnection&, Result&)> body) {
    Result result{};
    absl::Status status = pool_.Transaction(access, [&](PostgresConnection& connection) {
      result = Result();
      return body(connection, result);
    });
    if (!status.ok()) return status;
    return result;
  }
  // Runs a statement on digests, an owner and a time, unless one of the blobs is being removed.
  // `sql` takes them in one order, so that two callers do not wait for one another.
  absl::Status WriteReferences(const char* sql, const std::vector<std::string>& digests,
                               absl::string_view owner, absl::Time time);
  // Writes what `change` did to `before`, and the notice of it.
  absl::Status WriteChange(PostgresConnection& connection, const JobRecord& before,
                           JobChange& change);

  const PostgresOptions connection_options_;
  const std::string origin_ = NewUid();  // of this process's notices
  PostgresPool pool_;
  StoreChanges* changes_ = nullptr;  // set once, before calls that write
  std::unique_ptr<PostgresListener> listener_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_POSTGRES_JOB_STORE_H_
