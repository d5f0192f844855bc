// Jobs in one SQLite file: the store of a single coordinator.
#ifndef SASQ_SERVER_SQLITE_JOB_STORE_H_
#define SASQ_SERVER_SQLITE_JOB_STORE_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "server/job_store.h"
#include "server/sqlite.h"

namespace sasq {

class SqliteJobStore final : public JobStore {
 public:
  struct Options {
    std::string path;                                 // of the file; made if missing
    int reader_count = 2;                             // connections that read, 1..16
    absl::Duration busy_timeout = absl::Seconds(10);  // waiting for other processes' locks
  };

  // Opens the file and brings its schema up to date. FAILED_PRECONDITION if the file was written by
  // a newer version.
  static absl::StatusOr<std::unique_ptr<SqliteJobStore>> Create(const Options& options);

  absl::StatusOr<JobRecord> Insert(const JobChange& added) override;
  absl::StatusOr<JobRecord> Get(absl::string_view id) override;
  absl::StatusOr<std::vector<JobRecord>> List(const std::vector<v1::JobState>& states,
                                              int64_t before_position, int limit) override;
  absl::StatusOr<JobRecord> Update(absl::string_view id, Change change) override;
  absl::StatusOr<std::optional<LeasedJob>> LeaseNext(v1::DeviceKind device_kind,
                                                     Change change) override;
  absl::StatusOr<std::optional<LeasedJob>> FindLease(absl::string_view worker_id,
                                                     absl::string_view instance_id) override;
  absl::StatusOr<std::vector<std::string>> ExpiredLeases(absl::Time now, int limit) override;
  absl::StatusOr<LogChunk> ReadLog(absl::string_view id, int64_t offset,
                                   int64_t max_bytes) override;
  absl::StatusOr<v1::Artifact> GetArtifact(absl::string_view id) override;
  absl::StatusOr<std::vector<std::string>> Delete(
      absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) override;
  absl::Status NoteUploads(absl::string_view tenant, const std::vector<std::string>& digests,
                           absl::Time time) override;
  absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) override;
  absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) override;
  absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) override;
  absl::StatusOr<JobStats> Stats() override;

 private:
  // Connections that threads borrow, so that no mutex is held while SQLite works. Writers wait for
  // the one writing connection here, in the order of the operating system's scheduler, and not in
  // SQLite's polling busy handler.
  class Pool {
   public:
    void Add(std::unique_ptr<SqliteConnection> connection) ABSL_LOCKS_EXCLUDED(mutex_);
    std::unique_ptr<SqliteConnection> Borrow() ABSL_LOCKS_EXCLUDED(mutex_);

   private:
    Mutex mutex_;
    CondVar returned_;
    std::vector<std::unique_ptr<SqliteConnection>> idle_ ABSL_GUARDED_BY(mutex_);
  };

  SqliteJobStore() = default;

  // Runs `body`, which fills in the result, in a transaction on a borrowed connection.
  template <typename Result>
  using Body = absl::FunctionRef<absl::Status(SqliteConnection&, Result&)>;
  template <typename Result>
  absl::StatusOr<Result> Read(Body<Result> body) {
    return Run<Result>(readers_, SqliteAccess::kRead, body);
  }
  template <typename Result>
  absl::StatusOr<Result> Write(Body<Result> body) {
    return Run<Result>(writer_, SqliteAccess::kWrite, body);
  }
  template <typename Result>
  static absl::StatusOr<Result> Run(Pool& pool, SqliteAccess access, Body<Result> body) {
    std::unique_ptr<SqliteConnection> connection = pool.Borrow();
    Result result{};
    absl::Status status =
        connection->Transaction(access, [&] { return body(*connection, result); });
    pool.Add(std::move(connection));
    if (!status.ok()) return status;
    return result;
  }

  Pool readers_;
  Pool writer_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_JOB_STORE_H_
