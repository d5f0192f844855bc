// Jobs in one SQLite file: the store of a single coordinator.
#ifndef SASQ_SERVER_SQLITE_JOB_STORE_H_
#define SASQ_SERVER_SQLITE_JOB_STORE_H_

#include <memory>
#include <optional>
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

  // Opens the file and brings its schema up to date. Holds and removals of blobs that an earlier
  // process began are over, since one process at a time has the file. FAILED_PRECONDITION if the
  // file was written by a newer version.
  static absl::StatusOr<std::unique_ptr<SqliteJobStore>> Create(const Options& options);

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
  absl::StatusOr<std::vector<std::string>> ExpireUploads(absl::Time time) override;
  absl::Status HoldBlobs(const std::string& holder, const std::vector<std::string>& digests,
                         absl::Time time) override;
  absl::Status ReleaseBlobs(const std::string& holder) override;
  absl::StatusOr<bool> IsBlobReferenced(absl::string_view sha256) override;
  absl::StatusOr<bool> BeginBlobRemoval(const std::string& sha256, const std::string& remover,
                                        absl::Time now) override;
  absl::Status EndBlobRemoval(const std::string& sha256, const std::string& remover) override;
  absl::StatusOr<std::vector<std::string>> StaleBlobRemovals(absl::Time now) override;
  absl::StatusOr<std::vector<SharedWorker>> ShareWorkers(const std::vector<SharedWorker>& changed,
                                                         absl::Time oldest) override;
  absl::StatusOr<bool> IsBlobOf(absl::string_view tenant, absl::string_view sha256) override;
  absl::StatusOr<JobStats> Stats() override;

 private:
  // Connections that threads borrow, so that no mutex is held while SQLite works.
  class Pool {
   public:
    void Add(std::unique_ptr<SqliteConnection> connection) ABSL_LOCKS_EXCLUDED(mutex_);
    std::unique_ptr<SqliteConnection> Borrow() ABSL_LOCKS_EXCLUDED(mutex_);

   private:
    Mutex mutex_;
    CondVar returned_;
    std::vector<std::unique_ptr<SqliteConnection>> idle_ ABSL_GUARDED_BY(mutex_);
  };

  using WriteBody = absl::FunctionRef<absl::Status(SqliteConnection&)>;
  // A write that waits for its turn, on the stack of its caller.
  struct PendingWrite {
    WriteBody body;
    absl::Status status = absl::OkStatus();
    bool done = false;
  };

  SqliteJobStore() = default;

  // Runs `body`, which fills in the result, in a transaction. It may run twice: the result is made
  // anew each time.
  template <typename Result>
  using Body = absl::FunctionRef<absl::Status(SqliteConnection&, Result&)>;
  template <typename Result>
  absl::StatusOr<Result> Read(Body<Result> body) {
    std::unique_ptr<SqliteConnection> connection = readers_.Borrow();
    Result result{};
    absl::Status status =
        connection->Transaction(SqliteAccess::kRead, [&] { return body(*connection, result); });
    readers_.Add(std::move(connection));
    if (!status.ok()) return status;
    return result;
  }
  template <typename Result>
  absl::StatusOr<Result> Write(Body<Result> body) {
    Result result{};
    absl::Status status = WriteInGroup([&](SqliteConnection& connection) {
      result = Result();
      return body(connection, result);
    });
    if (!status.ok()) return status;
    return result;
  }

  // Group commit: the writer whose turn it is runs every write that waits, each in a savepoint of
  // its own, and one flush of the disk makes them durable together.
  absl::Status WriteInGroup(WriteBody body) ABSL_LOCKS_EXCLUDED(mutex_);
  // On the thread of the writer whose turn it is.
  void CommitGroup(const std::vector<PendingWrite*>& group);

  Pool readers_;
  std::unique_ptr<SqliteConnection> writer_;  // used by the writer whose turn it is

  Mutex mutex_;
  CondVar written_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<PendingWrite*> pending_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_SQLITE_JOB_STORE_H_
