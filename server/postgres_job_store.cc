#include "server/postgres_job_store.h"

#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status_macros.h"
#include "server/job_store_errors.h"
#include "server/not_found.h"
#include "server/postgres_job_rows.h"
#include "server/postgres_schema.h"
#include "server/postgres_workers.h"

namespace sasq {
namespace {

// Whoever begins to refer to blobs holds the first, shared; whoever begins to remove one, alone.
// The second makes leases one at a time where tenants have limits. Until the transaction ends.
constexpr char kShareBlobs[] = "SELECT pg_advisory_xact_lock_shared(6004399391600001)";
constexpr char kLockBlobs[] = "SELECT pg_advisory_xact_lock(6004399391600001)";
constexpr char kLockLeases[] = "SELECT pg_advisory_xact_lock(6004399391600002)";

// Digests as a text[]; hexadecimal digits need no quotes.
std::string ArrayOf(const std::vector<std::string>& digests) {
  return absl::StrCat("{", absl::StrJoin(digests, ","), "}");
}

// The job that suits the offer best; no row if there is none. Rows that other transactions lease at
// the moment are passed over.
absl::StatusOr<PostgresRows> FindNext(PostgresConnection& connection, const LeaseOffer& offer) {
  const bool limited = offer.max_running_per_tenant > 0;
  if (limited) SASQ_RETURN_IF_ERROR(connection.Run(kLockLeases).status());
  PostgresValues values;
  values.Int(DeviceKindBits(offer.device_kind)).Int(offer.memory_bytes).Time(offer.now);
  if (!limited) {
    return connection.Run(
        "SELECT " SASQ_POSTGRES_JOB_COLUMNS
        " FROM jobs WHERE state = 1 AND device_kinds & $1 <> 0 AND min_memory_bytes <= $2 AND "
        "ready_time <= $3 ORDER BY rank, position LIMIT 1 FOR UPDATE SKIP LOCKED",
        values);
  }
  values.Int(offer.max_running_per_tenant);
  return connection.Run(
      "SELECT " SASQ_POSTGRES_JOB_COLUMNS
      " FROM jobs WHERE state = 1 AND device_kinds & $1 <> 0 AND min_memory_bytes <= $2 AND "
      "ready_time <= $3 AND tenant NOT IN (SELECT tenant FROM jobs WHERE state IN (2, 3) "
      "GROUP BY tenant HAVING count(*) >= $4) "
      "ORDER BY rank, position LIMIT 1 FOR UPDATE SKIP LOCKED",
      values);
}

}  // namespace

PostgresJobStore::PostgresJobStore(const Options& options)
    : connection_options_(options.connection),
      pool_({.connection = options.connection,
             .max_connections = options.max_connections,
             .clock = options.clock,
             // Nobody here was told of the change if it took place.
             .on_unknown_commit = [this] {
               if (changes_ != nullptr) changes_->OnStoreGap();
             }}) {}

absl::StatusOr<std::unique_ptr<PostgresJobStore>> PostgresJobStore::Create(const Options& options) {
  SASQ_RETURN_IF_ERROR(CheckPostgresUrl(options.connection.url));
  std::unique_ptr<PostgresJobStore> store(new PostgresJobStore(options));
  SASQ_RETURN_IF_ERROR(store->pool_.Transaction(PostgresAccess::kWrite, MigratePostgresSchema));
  return store;
}

void PostgresJobStore::Listen(StoreChanges& changes) {
  changes_ = &changes;
  listener_ = std::make_unique<PostgresListener>(connection_options_, origin_, changes);
}

absl::StatusOr<JobRecord> PostgresJobStore::Insert(const JobChange& added, int64_t max_queued) {
  return Run<JobRecord>(
      PostgresAccess::kWrite,
      [&](PostgresConnection& connection, JobRecord& stored) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(std::optional<JobRecord> known,
                              FindRequest(connection, added.record));
        if (!known.has_value()) {
          SASQ_RETURN_IF_ERROR(CheckQueueLimit(connection, added.record.job.tenant(), max_queued));
          JobChange change = added;
          SASQ_ASSIGN_OR_RETURN(const bool is_new, InsertJob(connection, change));
          if (is_new) {
            stored = std::move(change.record);
            return SendNotice(connection, origin_,
                              {.job_id = JobId(stored.job),
                               .queued = stored.job.state() == v1::JOB_STATE_QUEUED});
          }
          SASQ_ASSIGN_OR_RETURN(known, FindRequest(connection, added.record));
          SASQ_CHECK(known.has_value());
        }
        stored = *std::move(known);
        return absl::OkStatus();
      });
}

absl::StatusOr<JobRecord> PostgresJobStore::Get(absl::string_view id) {
  return Run<JobRecord>(PostgresAccess::kRead,
                        [&](PostgresConnection& connection, JobRecord& record) -> absl::Status {
                          SASQ_ASSIGN_OR_RETURN(record, ReadJob(connection, id, false));
                          return absl::OkStatus();
                        });
}

absl::StatusOr<std::vector<JobRecord>> PostgresJobStore::List(const JobFilter& filter,
                                                              int64_t before_position, int limit) {
  // One list of bits keeps the statement the same for every set of states.
  int64_t mask = filter.states.empty() ? ~int64_t{0} : 0;
  for (v1::JobState state : filter.states) mask |= int64_t{1} << state;
  PostgresValues values;
  values.Int(before_position > 0 ? before_position : std::numeric_limits<int64_t>::max())
      .Int(mask)
      .Int(limit);
  if (filter.tenant.has_value()) values.Text(*filter.tenant);
  return Run<std::vector<JobRecord>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::vector<JobRecord>& records) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run(filter.tenant.has_value()
                               ? "SELECT " SASQ_POSTGRES_JOB_COLUMNS
                                 " FROM jobs WHERE position < $1 AND ($2 >> state::int) & 1 = 1 "
                                 "AND tenant = $4 ORDER BY position DESC LIMIT $3"
                               : "SELECT " SASQ_POSTGRES_JOB_COLUMNS
                                 " FROM jobs WHERE position < $1 AND ($2 >> state::int) & 1 = 1 "
                                 "ORDER BY position DESC LIMIT $3",
                           values));
        SASQ_ASSIGN_OR_RETURN(records, ReadJobRows(rows));
        return absl::OkStatus();
      });
}

absl::Status PostgresJobStore::WriteChange(PostgresConnection& connection, const JobRecord& before,
                                           JobChange& change) {
  SASQ_RETURN_IF_ERROR(UpdateJob(connection, change));
  const v1::Job& job = change.record.job;
  return SendNotice(connection, origin_,
                    {.job_id = JobId(job),
                     .changed = job.sequence() != before.job.sequence(),
                     .log_grew = !change.log.empty(),
                     .queued = job.state() == v1::JOB_STATE_QUEUED &&
                               before.job.state() != v1::JOB_STATE_QUEUED});
}

absl::StatusOr<JobRecord> PostgresJobStore::Update(absl::string_view id, Change change) {
  return Run<JobRecord>(PostgresAccess::kWrite,
                        [&](PostgresConnection& connection, JobRecord& record) -> absl::Status {
                          SASQ_ASSIGN_OR_RETURN(const JobRecord before,
                                                ReadJob(connection, id, true));
                          JobChange changed;
                          changed.record = before;
                          SASQ_RETURN_IF_ERROR(change(changed));
                          SASQ_RETURN_IF_ERROR(WriteChange(connection, before, changed));
                          record = std::move(changed.record);
                          return absl::OkStatus();
                        });
}

absl::StatusOr<std::optional<LeasedJob>> PostgresJobStore::LeaseNext(const LeaseOffer& offer,
                                                                     Change change) {
  return Run<std::optional<LeasedJob>>(
      PostgresAccess::kWrite,
      [&](PostgresConnection& connection, std::optional<LeasedJob>& leased) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const PostgresRows rows, FindNext(connection, offer));
        if (rows.size() == 0) return absl::OkStatus();
        SASQ_ASSIGN_OR_RETURN(const JobRecord before, ReadJobRow(rows, 0));
        JobChange changed;
        changed.record = before;
        SASQ_RETURN_IF_ERROR(change(changed));
        SASQ_RETURN_IF_ERROR(WriteChange(connection, before, changed));
        LeasedJob& result = leased.emplace();
        SASQ_ASSIGN_OR_RETURN(result.checkpoint,
                              ReadCheckpoint(connection, JobId(changed.record.job)));
        result.record = std::move(changed.record);
        return absl::OkStatus();
      });
}

absl::StatusOr<std::optional<LeasedJob>> PostgresJobStore::FindLease(
    absl::string_view worker_id, absl::string_view instance_id) {
  PostgresValues values;
  values.Text(worker_id).Text(instance_id);
  return Run<std::optional<LeasedJob>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::optional<LeasedJob>& held) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("SELECT " SASQ_POSTGRES_JOB_COLUMNS
                           " FROM jobs WHERE lease_worker = $1 AND lease_instance = $2 LIMIT 1",
                           values));
        if (rows.size() == 0) return absl::OkStatus();
        LeasedJob& result = held.emplace();
        SASQ_ASSIGN_OR_RETURN(result.record, ReadJobRow(rows, 0));
        SASQ_ASSIGN_OR_RETURN(result.checkpoint,
                              ReadCheckpoint(connection, JobId(result.record.job)));
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<std::string>> PostgresJobStore::ExpiredLeases(absl::Time now,
                                                                         int limit) {
  PostgresValues values;
  values.Time(now).Int(limit);
  return Run<std::vector<std::string>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::vector<std::string>& ids) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const PostgresRows rows,
                              connection.Run("SELECT id FROM jobs WHERE lease_expire_time <= $1 "
                                             "ORDER BY lease_expire_time LIMIT $2",
                                             values));
        ids = FirstColumn(rows);
        return absl::OkStatus();
      });
}

absl::StatusOr<LogChunk> PostgresJobStore::ReadLog(absl::string_view id, int64_t offset,
                                                   int64_t max_bytes) {
  PostgresValues values;
  values.Text(id).Int(offset).Int(max_bytes);
  return Run<LogChunk>(
      PostgresAccess::kRead, [&](PostgresConnection& connection, LogChunk& chunk) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(connection, id, false));
        chunk.log_size_bytes = record.log_size_bytes;
        chunk.job_ended = IsEndedState(record.job.state());
        // From the piece that holds the offset: the last one that starts at or before it.
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run(
                "SELECT start_offset, data FROM job_logs WHERE job_id = $1 AND start_offset >= "
                "(SELECT coalesce(max(start_offset), 0) FROM job_logs WHERE job_id = $1 AND "
                "start_offset <= $2) AND start_offset < $2 + $3 ORDER BY start_offset",
                values));
        for (int row = 0; row < rows.size(); ++row) {
          const std::string piece = rows.Bytes(row, 1);
          const int64_t skip = offset + static_cast<int64_t>(chunk.data.size()) - rows.Int(row, 0);
          if (skip >= static_cast<int64_t>(piece.size())) break;
          absl::StrAppend(&chunk.data, absl::string_view(piece).substr(static_cast<size_t>(skip)));
        }
        if (static_cast<int64_t>(chunk.data.size()) > max_bytes) {
          chunk.data.resize(static_cast<size_t>(max_bytes));
        }
        return absl::OkStatus();
      });
}

absl::StatusOr<v1::Artifact> PostgresJobStore::GetArtifact(absl::string_view id) {
  PostgresValues values;
  values.Text(id);
  return Run<v1::Artifact>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, v1::Artifact& artifact) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("SELECT artifact FROM artifacts WHERE job_id = $1", values));
        if (rows.size() == 0) return ArtifactNotFoundStatus(id);
        if (artifact.ParseFromString(rows.Bytes(0, 0))) return absl::OkStatus();
        return StoredDataDamaged(absl::StrCat("artifact `artifacts/", id, "`"));
      });
}

absl::StatusOr<std::string> PostgresJobStore::GetBestScales(absl::string_view id) {
  return Run<std::string>(PostgresAccess::kRead,
                          [&](PostgresConnection& connection, std::string& scales) -> absl::Status {
                            SASQ_RETURN_IF_ERROR(ReadJob(connection, id, false).status());
                            SASQ_ASSIGN_OR_RETURN(scales, ReadBestScales(connection, id));
                            return absl::OkStatus();
                          });
}

absl::StatusOr<std::optional<JobRecord>> PostgresJobStore::FindByContentKey(
    absl::string_view tenant, absl::string_view key) {
  PostgresValues values;
  values.Text(tenant).Text(key);
  return Run<std::optional<JobRecord>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::optional<JobRecord>& earlier) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("SELECT " SASQ_POSTGRES_JOB_COLUMNS
                           " FROM jobs WHERE id IN (SELECT job_id FROM job_content_keys JOIN "
                           "artifacts USING (job_id) WHERE tenant = $1 AND key = $2) "
                           "ORDER BY position DESC LIMIT 1",
                           values));
        if (rows.size() == 0) return absl::OkStatus();
        SASQ_ASSIGN_OR_RETURN(earlier, ReadJobRow(rows, 0));
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<std::string>> PostgresJobStore::EndedBefore(v1::JobState state,
                                                                       absl::Time time, int limit) {
  // As microseconds the infinite past is the earliest number.
  PostgresValues values;
  values.Int(state).Time(time).Int(limit);
  return Run<std::vector<std::string>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::vector<std::string>& ids) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("SELECT id FROM jobs WHERE state = $1 AND end_time IS NOT NULL AND "
                           "end_time < $2 ORDER BY end_time LIMIT $3",
                           values));
        ids = FirstColumn(rows);
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<std::string>> PostgresJobStore::Delete(
    absl::string_view id, absl::FunctionRef<absl::Status(const JobRecord&)> check) {
  PostgresValues values;
  values.Text(id);
  return Run<std::vector<std::string>>(
      PostgresAccess::kWrite,
      [&](PostgresConnection& connection, std::vector<std::string>& unreferenced) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(connection, id, true));
        SASQ_RETURN_IF_ERROR(check(record));
        SASQ_ASSIGN_OR_RETURN(const std::vector<std::string> blobs,
                              ReferencesOfJob(connection, id));
        SASQ_RETURN_IF_ERROR(connection.Run("DELETE FROM jobs WHERE id = $1", values).status());
        for (const std::string& blob : blobs) {
          SASQ_ASSIGN_OR_RETURN(const bool referenced, IsReferenced(connection, blob));
          if (!referenced) unreferenced.push_back(blob);
        }
        return SendNotice(connection, origin_, {.job_id = std::string(id), .deleted = true});
      });
}

absl::Status PostgresJobStore::NoteUploads(absl::string_view tenant,
                                           const std::vector<std::string>& digests,
                                           absl::Time time) {
  return WriteReferences(
      "INSERT INTO uploads (sha256, tenant, time) SELECT DISTINCT sha256, $2, $3::bigint "
      "FROM unnest($1::text[]) AS sha256 ORDER BY sha256 "
      "ON CONFLICT (sha256, tenant) DO UPDATE SET time = excluded.time",
      digests, tenant, time);
}

absl::Status PostgresJobStore::HoldBlobs(const std::string& holder,
                                         const std::vector<std::string>& digests, absl::Time time) {
  return WriteReferences(
      "INSERT INTO blob_holds (sha256, holder, time) SELECT DISTINCT sha256, $2, $3::bigint "
      "FROM unnest($1::text[]) AS sha256 ORDER BY sha256 "
      "ON CONFLICT (sha256, holder) DO UPDATE SET time = excluded.time",
      digests, holder, time);
}

absl::Status PostgresJobStore::WriteReferences(const char* sql,
                                               const std::vector<std::string>& digests,
                                               absl::string_view owner, absl::Time time) {
  if (digests.empty()) return absl::OkStatus();
  PostgresValues wanted;
  wanted.Text(ArrayOf(digests));
  PostgresValues values = wanted;
  values.Text(owner).Time(time);
  return pool_.Transaction(
      PostgresAccess::kWrite, [&](PostgresConnection& connection) -> absl::Status {
        SASQ_RETURN_IF_ERROR(connection.Run(kShareBlobs).status());
        SASQ_ASSIGN_OR_RETURN(const PostgresRows marked,
                              connection.Run("SELECT sha256 FROM blob_removals "
                                             "WHERE sha256 = ANY ($1::text[]) LIMIT 1",
                                             wanted));
        if (marked.size() > 0) return BlobInRemoval(marked.Bytes(0, 0));
        return connection.Run(sql, values).status();
      });
}

absl::Status PostgresJobStore::ReleaseBlobs(const std::string& holder) {
  PostgresValues values;
  values.Text(holder);
  return pool_.Transaction(PostgresAccess::kWrite, [&](PostgresConnection& connection) {
    return connection.Run("DELETE FROM blob_holds WHERE holder = $1", values).status();
  });
}

absl::StatusOr<std::vector<std::string>> PostgresJobStore::ExpireUploads(absl::Time time) {
  PostgresValues values;
  values.Time(time);
  return Run<std::vector<std::string>>(
      PostgresAccess::kWrite,
      [&](PostgresConnection& connection, std::vector<std::string>& expired) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("WITH u AS (DELETE FROM uploads WHERE time < $1 RETURNING sha256), "
                           "h AS (DELETE FROM blob_holds WHERE time < $1 RETURNING sha256) "
                           "SELECT sha256 FROM u UNION ALL SELECT sha256 FROM h",
                           values));
        expired = FirstColumn(rows);
        return absl::OkStatus();
      });
}

absl::StatusOr<bool> PostgresJobStore::IsBlobOf(absl::string_view tenant,
                                                absl::string_view sha256) {
  return Run<bool>(PostgresAccess::kRead,
                   [&](PostgresConnection& connection, bool& referenced) -> absl::Status {
                     SASQ_ASSIGN_OR_RETURN(referenced, IsReferencedBy(connection, tenant, sha256));
                     return absl::OkStatus();
                   });
}

absl::StatusOr<bool> PostgresJobStore::IsBlobReferenced(absl::string_view sha256) {
  return Run<bool>(PostgresAccess::kRead,
                   [&](PostgresConnection& connection, bool& referenced) -> absl::Status {
                     SASQ_ASSIGN_OR_RETURN(referenced, IsReferenced(connection, sha256));
                     return absl::OkStatus();
                   });
}

absl::StatusOr<bool> PostgresJobStore::BeginBlobRemoval(const std::string& sha256,
                                                        const std::string& remover,
                                                        absl::Time now) {
  PostgresValues values;
  values.Text(sha256).Time(now).Time(now - kBlobRemovalTimeout).Text(remover);
  return Run<bool>(
      PostgresAccess::kWrite, [&](PostgresConnection& connection, bool& begun) -> absl::Status {
        SASQ_RETURN_IF_ERROR(connection.Run(kLockBlobs).status());
        SASQ_ASSIGN_OR_RETURN(const bool referenced, IsReferenced(connection, sha256));
        if (referenced) return absl::OkStatus();
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("INSERT INTO blob_removals (sha256, time, remover) VALUES ($1, $2, $4) "
                           "ON CONFLICT (sha256) DO UPDATE SET time = $2, remover = $4 "
                           "WHERE blob_removals.time <= $3",
                           values));
        begun = rows.changed_rows() > 0;
        return absl::OkStatus();
      });
}

absl::Status PostgresJobStore::EndBlobRemoval(const std::string& sha256,
                                              const std::string& remover) {
  PostgresValues values;
  values.Text(sha256).Text(remover);
  return pool_.Transaction(PostgresAccess::kWrite, [&](PostgresConnection& connection) {
    return connection.Run("DELETE FROM blob_removals WHERE sha256 = $1 AND remover = $2", values)
        .status();
  });
}

absl::StatusOr<std::vector<std::string>> PostgresJobStore::StaleBlobRemovals(absl::Time now) {
  PostgresValues values;
  values.Time(now - kBlobRemovalTimeout);
  return Run<std::vector<std::string>>(
      PostgresAccess::kRead,
      [&](PostgresConnection& connection, std::vector<std::string>& digests) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(
            const PostgresRows rows,
            connection.Run("SELECT sha256 FROM blob_removals WHERE time <= $1", values));
        digests = FirstColumn(rows);
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<SharedWorker>> PostgresJobStore::ShareWorkers(
    const std::vector<SharedWorker>& changed, absl::Time oldest) {
  return Run<std::vector<SharedWorker>>(
      PostgresAccess::kWrite,
      [&](PostgresConnection& connection, std::vector<SharedWorker>& others) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(others, ExchangeWorkers(connection, origin_, changed, oldest));
        return absl::OkStatus();
      });
}

absl::StatusOr<JobStats> PostgresJobStore::Stats() {
  return Run<JobStats>(
      PostgresAccess::kRead, [&](PostgresConnection& connection, JobStats& stats) -> absl::Status {
        SASQ_ASSIGN_OR_RETURN(const PostgresRows counts,
                              connection.Run("SELECT state, count(*) FROM jobs GROUP BY state"));
        for (int row = 0; row < counts.size(); ++row) {
          stats.count_by_state[static_cast<v1::JobState>(counts.Int(row, 0))] = counts.Int(row, 1);
        }
        SASQ_ASSIGN_OR_RETURN(const PostgresRows devices,
                              connection.Run("SELECT device_kinds, count(*) FROM jobs "
                                             "WHERE state = 1 GROUP BY device_kinds"));
        for (int row = 0; row < devices.size(); ++row) {
          stats.queued_by_device_kinds[static_cast<uint32_t>(devices.Int(row, 0))] =
              devices.Int(row, 1);
        }
        SASQ_ASSIGN_OR_RETURN(const PostgresRows oldest,
                              connection.Run("SELECT min(queue_time) FROM jobs WHERE state = 1"));
        stats.oldest_queue_time = oldest.Time(0, 0);
        return absl::OkStatus();
      });
}

}  // namespace sasq
