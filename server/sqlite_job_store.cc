#include "server/sqlite_job_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status_macros.h"
#include "server/job_store_errors.h"
#include "server/not_found.h"
#include "server/sqlite_blob_references.h"
#include "server/sqlite_job_rows.h"
#include "server/sqlite_schema.h"

namespace sasq {

void SqliteJobStore::Pool::Add(std::unique_ptr<SqliteConnection> connection) {
  MutexLock lock(&mutex_);
  idle_.push_back(std::move(connection));
  returned_.Signal();
}

std::unique_ptr<SqliteConnection> SqliteJobStore::Pool::Borrow() {
  MutexLock lock(&mutex_);
  while (idle_.empty()) returned_.Wait(&mutex_);
  std::unique_ptr<SqliteConnection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

absl::Status SqliteJobStore::WriteInGroup(WriteBody body) {
  PendingWrite write{body};
  std::vector<PendingWrite*> group;
  {
    MutexLock lock(&mutex_);
    pending_.push_back(&write);
    while (writing_ && !write.done) written_.Wait(&mutex_);
    if (write.done) return write.status;
    writing_ = true;
    group.swap(pending_);
  }
  CommitGroup(group);
  MutexLock lock(&mutex_);
  for (PendingWrite* member : group) member->done = true;
  writing_ = false;
  written_.SignalAll();
  return write.status;
}

void SqliteJobStore::CommitGroup(const std::vector<PendingWrite*>& group) {
  SqliteConnection& writer = *writer_;
  if (group.size() > 1) {
    const absl::Status committed = writer.Transaction(SqliteAccess::kWrite, [&]() -> absl::Status {
      for (PendingWrite* write : group) {
        SASQ_RETURN_IF_ERROR(writer.Savepoint([&] { return write->body(writer); }, write->status));
      }
      return absl::OkStatus();
    });
    if (committed.ok()) return;
  }
  // Alone, or one by one where the group failed as a whole: its writers hear of their own failure.
  for (PendingWrite* write : group) {
    write->status = writer.Transaction(SqliteAccess::kWrite, [&] { return write->body(writer); });
  }
}

absl::StatusOr<std::unique_ptr<SqliteJobStore>> SqliteJobStore::Create(const Options& options) {
  std::unique_ptr<SqliteJobStore> store(new SqliteJobStore());
  SASQ_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> writer,
                        SqliteConnection::Open(options.path, options.busy_timeout));
  SASQ_RETURN_IF_ERROR(MigrateSqliteSchema(*writer));
  SASQ_RETURN_IF_ERROR(ForgetHoldersAndRemovals(*writer));
  store->writer_ = std::move(writer);
  for (int i = 0; i < options.reader_count; ++i) {
    SASQ_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> reader,
                          SqliteConnection::Open(options.path, options.busy_timeout));
    store->readers_.Add(std::move(reader));
  }
  return store;
}

absl::StatusOr<JobRecord> SqliteJobStore::Insert(const JobChange& added, int64_t max_queued) {
  return Write<JobRecord>([&](SqliteConnection& connection, JobRecord& stored) -> absl::Status {
    const JobRecord& record = added.record;
    SASQ_ASSIGN_OR_RETURN(std::optional<JobRecord> known, FindRequest(connection, record));
    if (known.has_value()) {
      stored = *std::move(known);
      return absl::OkStatus();
    }
    SASQ_RETURN_IF_ERROR(CheckQueueLimit(connection, record.job.tenant(), max_queued));
    JobChange change = added;
    SASQ_RETURN_IF_ERROR(InsertJob(connection, change));
    stored = std::move(change.record);
    return absl::OkStatus();
  });
}

absl::StatusOr<JobRecord> SqliteJobStore::Get(absl::string_view id) {
  return Read<JobRecord>([&](SqliteConnection& connection, JobRecord& record) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(record, ReadJob(connection, id));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<JobRecord>> SqliteJobStore::List(const JobFilter& filter,
                                                            int64_t before_position, int limit) {
  // One list of bits keeps the statement the same for every set of states.
  int64_t mask = filter.states.empty() ? ~int64_t{0} : 0;
  for (v1::JobState state : filter.states) mask |= int64_t{1} << state;
  return Read<std::vector<JobRecord>>(
      [&](SqliteConnection& connection, std::vector<JobRecord>& records) -> absl::Status {
        // The inner queries read only an index, however many jobs they pass over.
        SASQ_ASSIGN_OR_RETURN(
            SqliteStatement statement,
            connection.Prepare(
                filter.tenant.has_value()
                    ? "SELECT " SASQ_JOB_COLUMNS
                      " FROM jobs WHERE position IN (SELECT position FROM jobs WHERE tenant = ?4 "
                      "AND position < ?1 AND (?2 >> state) & 1 ORDER BY position DESC LIMIT ?3) "
                      "ORDER BY position DESC"
                    : "SELECT " SASQ_JOB_COLUMNS
                      " FROM jobs WHERE position IN (SELECT position FROM jobs WHERE "
                      "position < ?1 AND (?2 >> state) & 1 ORDER BY position DESC LIMIT ?3) "
                      "ORDER BY position DESC"));
        statement.Bind(before_position > 0 ? before_position : INT64_MAX).Bind(mask).Bind(limit);
        if (filter.tenant.has_value()) statement.BindText(*filter.tenant);
        while (true) {
          SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
          if (!found) return absl::OkStatus();
          SASQ_ASSIGN_OR_RETURN(JobRecord record, ReadRecord(statement));
          records.push_back(std::move(record));
        }
      });
}

absl::StatusOr<JobRecord> SqliteJobStore::Update(absl::string_view id, Change change) {
  return Write<JobRecord>([&](SqliteConnection& connection, JobRecord& record) -> absl::Status {
    JobChange changed;
    SASQ_ASSIGN_OR_RETURN(changed.record, ReadJob(connection, id));
    SASQ_RETURN_IF_ERROR(change(changed));
    SASQ_RETURN_IF_ERROR(WriteChange(connection, changed));
    record = std::move(changed.record);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<LeasedJob>> SqliteJobStore::LeaseNext(const LeaseOffer& offer,
                                                                   Change change) {
  return Write<std::optional<LeasedJob>>([&](SqliteConnection& connection,
                                             std::optional<LeasedJob>& leased) -> absl::Status {
    JobChange changed;
    {
      SASQ_ASSIGN_OR_RETURN(
          SqliteStatement statement,
          connection.Prepare(
              "SELECT " SASQ_JOB_COLUMNS
              " FROM jobs WHERE position = (SELECT position FROM jobs INDEXED BY jobs_to_lease "
              "WHERE state = 1 AND device_kinds & ? AND min_memory_bytes <= ? AND ready_time <= ? "
              "AND tenant NOT IN (SELECT tenant FROM jobs WHERE state IN (2, 3) GROUP BY tenant "
              "HAVING count(*) >= ?) ORDER BY rank, position LIMIT 1)"));
      statement.Bind(DeviceKindBits(offer.device_kind))
          .Bind(offer.memory_bytes)
          .BindTime(offer.now)
          .Bind(offer.max_running_per_tenant > 0 ? offer.max_running_per_tenant : INT64_MAX);
      SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
      if (!found) return absl::OkStatus();
      SASQ_ASSIGN_OR_RETURN(changed.record, ReadRecord(statement));
    }
    SASQ_RETURN_IF_ERROR(change(changed));
    SASQ_RETURN_IF_ERROR(WriteChange(connection, changed));
    LeasedJob result;
    SASQ_ASSIGN_OR_RETURN(result.checkpoint, ReadCheckpoint(connection, JobId(changed.record.job)));
    result.record = std::move(changed.record);
    leased = std::move(result);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<LeasedJob>> SqliteJobStore::FindLease(absl::string_view worker_id,
                                                                   absl::string_view instance_id) {
  return Read<std::optional<LeasedJob>>([&](SqliteConnection& connection,
                                            std::optional<LeasedJob>& held) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare("SELECT " SASQ_JOB_COLUMNS
                           " FROM jobs WHERE lease_worker = ? AND lease_instance = ? LIMIT 1"));
    SASQ_ASSIGN_OR_RETURN(const bool found,
                          statement.BindText(worker_id).BindText(instance_id).Step());
    if (!found) return absl::OkStatus();
    LeasedJob result;
    SASQ_ASSIGN_OR_RETURN(result.record, ReadRecord(statement));
    SASQ_ASSIGN_OR_RETURN(result.checkpoint, ReadCheckpoint(connection, JobId(result.record.job)));
    held = std::move(result);
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::ExpiredLeases(absl::Time now, int limit) {
  return Read<std::vector<std::string>>(
      [&](SqliteConnection& connection, std::vector<std::string>& ids) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                              connection.Prepare("SELECT id FROM jobs WHERE lease_expire_time <= ? "
                                                 "ORDER BY lease_expire_time LIMIT ?"));
        statement.BindTime(now).Bind(limit);
        while (true) {
          SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
          if (!found) return absl::OkStatus();
          ids.push_back(statement.Bytes(0));
        }
      });
}

absl::StatusOr<LogChunk> SqliteJobStore::ReadLog(absl::string_view id, int64_t offset,
                                                 int64_t max_bytes) {
  return Read<LogChunk>([&](SqliteConnection& connection, LogChunk& chunk) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(connection, id));
    chunk.log_size_bytes = record.log_size_bytes;
    chunk.job_ended = IsEndedState(record.job.state());
    // From the piece that holds the offset: the last one that starts at or before it.
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement statement,
        connection.Prepare("SELECT start_offset, data FROM job_logs WHERE job_id = ?1 AND "
                           "start_offset >= (SELECT coalesce(max(start_offset), 0) FROM job_logs "
                           "WHERE job_id = ?1 AND start_offset <= ?2) ORDER BY start_offset"));
    statement.BindText(id).Bind(offset);
    while (static_cast<int64_t>(chunk.data.size()) < max_bytes) {
      SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
      if (!found) break;
      const std::string piece = statement.Bytes(1);
      const int64_t skip = offset + static_cast<int64_t>(chunk.data.size()) - statement.Int(0);
      if (skip >= static_cast<int64_t>(piece.size())) break;
      absl::StrAppend(&chunk.data, absl::string_view(piece).substr(static_cast<size_t>(skip)));
    }
    if (static_cast<int64_t>(chunk.data.size()) > max_bytes) chunk.data.resize(max_bytes);
    return absl::OkStatus();
  });
}

absl::StatusOr<v1::Artifact> SqliteJobStore::GetArtifact(absl::string_view id) {
  return Read<v1::Artifact>([&](SqliteConnection& connection,
                                v1::Artifact& artifact) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                          connection.Prepare("SELECT artifact FROM artifacts WHERE job_id = ?"));
    SASQ_ASSIGN_OR_RETURN(const bool found, statement.BindText(id).Step());
    if (!found) return ArtifactNotFoundStatus(id);
    if (!artifact.ParseFromString(statement.Bytes(0))) {
      return StoredDataDamaged(absl::StrCat("artifact `artifacts/", id, "`"));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> SqliteJobStore::GetBestScales(absl::string_view id) {
  return Read<std::string>([&](SqliteConnection& connection, std::string& scales) -> absl::Status {
    SASQ_RETURN_IF_ERROR(ReadJob(connection, id).status());
    SASQ_ASSIGN_OR_RETURN(scales, ReadBestScales(connection, id));
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<JobRecord>> SqliteJobStore::FindByContentKey(absl::string_view tenant,
                                                                          absl::string_view key) {
  return Read<std::optional<JobRecord>>(
      [&](SqliteConnection& connection, std::optional<JobRecord>& earlier) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            SqliteStatement statement,
            connection.Prepare("SELECT " SASQ_JOB_COLUMNS
                               " FROM jobs WHERE id IN (SELECT job_id FROM job_content_keys WHERE "
                               "tenant = ? AND key = ? AND job_id IN (SELECT job_id FROM "
                               "artifacts)) ORDER BY position DESC LIMIT 1"));
        SASQ_ASSIGN_OR_RETURN(const bool found, statement.BindText(tenant).BindText(key).Step());
        if (!found) return absl::OkStatus();
        SASQ_ASSIGN_OR_RETURN(earlier, ReadRecord(statement));
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::EndedBefore(v1::JobState state,
                                                                     absl::Time time, int limit) {
  return Read<std::vector<std::string>>(
      [&](SqliteConnection& connection, std::vector<std::string>& ids) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            SqliteStatement statement,
            connection.Prepare("SELECT id FROM jobs WHERE state = ? AND end_time IS NOT NULL AND "
                               "end_time < ? ORDER BY end_time LIMIT ?"));
        statement.Bind(state).BindTime(time).Bind(limit);
        while (true) {
          SASQ_ASSIGN_OR_RETURN(const bool found, statement.Step());
          if (!found) return absl::OkStatus();
          ids.push_back(statement.Bytes(0));
        }
      });
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::Delete(
    absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) {
  return Write<std::vector<std::string>>(
      [&](SqliteConnection& connection, std::vector<std::string>& unreferenced) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(connection, id));
        SASQ_RETURN_IF_ERROR(check(record));
        SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> blobs,
                              ReferencesOfJob(connection, id));
        SASQ_ASSIGN_OR_RETURN(SqliteStatement statement,
                              connection.Prepare("DELETE FROM jobs WHERE id = ?"));
        SASQ_RETURN_IF_ERROR(statement.BindText(id).Run());
        for (const std::string& blob : blobs) {
          SASQ_ASSIGN_OR_RETURN(const bool referenced, IsReferenced(connection, blob));
          if (!referenced) unreferenced.push_back(blob);
        }
        return absl::OkStatus();
      });
}

absl::Status SqliteJobStore::NoteUploads(absl::string_view tenant,
                                         const std::vector<std::string>& digests, absl::Time time) {
  if (digests.empty()) return absl::OkStatus();
  return Write<bool>([&](SqliteConnection& connection, bool&) {
           return WriteUploads(connection, tenant, digests, time);
         })
      .status();
}

absl::Status SqliteJobStore::HoldBlobs(const std::string& holder,
                                       const std::vector<std::string>& digests, absl::Time time) {
  if (digests.empty()) return absl::OkStatus();
  return Write<bool>([&](SqliteConnection& connection, bool&) {
           return WriteHolds(connection, holder, digests, time);
         })
      .status();
}

absl::Status SqliteJobStore::ReleaseBlobs(const std::string& holder) {
  return Write<bool>(
             [&](SqliteConnection& connection, bool&) { return RemoveHolder(connection, holder); })
      .status();
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::ExpireUploads(absl::Time time) {
  return Write<std::vector<std::string>>(
      [&](SqliteConnection& connection, std::vector<std::string>& expired) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(expired, RemoveUploadsBefore(connection, time));
        return absl::OkStatus();
      });
}

absl::StatusOr<bool> SqliteJobStore::IsBlobOf(absl::string_view tenant, absl::string_view sha256) {
  return Read<bool>([&](SqliteConnection& connection, bool& is_theirs) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(is_theirs, IsReferencedBy(connection, tenant, sha256));
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> SqliteJobStore::IsBlobReferenced(absl::string_view sha256) {
  return Read<bool>([&](SqliteConnection& connection, bool& referenced) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(referenced, IsReferenced(connection, sha256));
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> SqliteJobStore::BeginBlobRemoval(const std::string& sha256,
                                                      const std::string& remover, absl::Time now) {
  return Write<bool>([&](SqliteConnection& connection, bool& begun) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(begun, MarkRemoval(connection, sha256, remover, now));
    return absl::OkStatus();
  });
}

absl::Status SqliteJobStore::EndBlobRemoval(const std::string& sha256, const std::string& remover) {
  return Write<bool>([&](SqliteConnection& connection, bool&) {
           return UnmarkRemoval(connection, sha256, remover);
         })
      .status();
}

absl::StatusOr<std::vector<std::string>> SqliteJobStore::StaleBlobRemovals(absl::Time now) {
  return Read<std::vector<std::string>>(
      [&](SqliteConnection& connection, std::vector<std::string>& digests) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(digests, RemovalsBefore(connection, now - kBlobRemovalTimeout));
        return absl::OkStatus();
      });
}

// One coordinator has the file: there are no others to tell.
absl::StatusOr<std::vector<SharedWorker>> SqliteJobStore::ShareWorkers(
    const std::vector<SharedWorker>&, absl::Time) {
  return std::vector<SharedWorker>();
}

absl::StatusOr<JobStats> SqliteJobStore::Stats() {
  return Read<JobStats>([&](SqliteConnection& connection, JobStats& stats) -> absl::Status {
    SASQ_ASSIGN_OR_RETURN(SqliteStatement counts,
                          connection.Prepare("SELECT state, count(*) FROM jobs GROUP BY state"));
    while (true) {
      SASQ_ASSIGN_OR_RETURN(const bool found, counts.Step());
      if (!found) break;
      stats.count_by_state[static_cast<v1::JobState>(counts.Int(0))] = counts.Int(1);
    }
    SASQ_ASSIGN_OR_RETURN(
        SqliteStatement devices,
        connection.Prepare("SELECT device_kinds, count(*) FROM jobs INDEXED BY jobs_to_lease "
                           "WHERE state = 1 GROUP BY device_kinds"));
    while (true) {
      SASQ_ASSIGN_OR_RETURN(const bool found, devices.Step());
      if (!found) break;
      stats.queued_by_device_kinds[static_cast<uint32_t>(devices.Int(0))] = devices.Int(1);
    }
    SASQ_ASSIGN_OR_RETURN(SqliteStatement oldest,
                          connection.Prepare("SELECT min(queue_time) FROM jobs "
                                             "INDEXED BY jobs_by_queue_time WHERE state = 1"));
    SASQ_ASSIGN_OR_RETURN(const bool found, oldest.Step());
    if (found) stats.oldest_queue_time = oldest.Time(0);
    return absl::OkStatus();
  });
}

}  // namespace sasq
