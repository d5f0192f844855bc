#include "server/postgres_job_store.h"

#include <filesystem>

#include "absl/strings/match.h"
#include "server/postgres_schema.h"
#include "tests/server/job_store_blob_conformance.h"
#include "tests/server/job_store_conformance.h"
#include "tests/server/job_store_thread_conformance.h"
#include "tests/server/postgres_server.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// One server for all tests, each of which has a database of its own.
PostgresServer& Server() {
  static PostgresServer server;
  return server;
}

PostgresOptions DatabaseOf(const std::string& folder) {
  const std::string name = std::filesystem::path(folder).filename().string();
  return Server().Database("test_" + name.substr(name.rfind('-') + 1));
}

std::unique_ptr<PostgresJobStore> Open(const PostgresOptions& database) {
  auto store = PostgresJobStore::Create({.connection = database, .max_connections = 4});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

std::unique_ptr<JobStore> MakePostgresStore(const std::string& folder) {
  return Open(DatabaseOf(folder));
}

INSTANTIATE_TEST_SUITE_P(Postgres, JobStoreConformance, testing::Values(&MakePostgresStore));

// Remembers what was told, and lets tests wait for it.
class HeardChanges final : public StoreChanges {
 public:
  void OnStoreChange(const StoreChange& change) override {
    MutexLock lock(&mutex_);
    changes_.push_back(change);
    heard_.SignalAll();
  }
  void OnStoreGap() override {
    MutexLock lock(&mutex_);
    ++gaps_;
    heard_.SignalAll();
  }
  std::vector<StoreChange> WaitForChanges(size_t count) {
    MutexLock lock(&mutex_);
    while (changes_.size() < count) heard_.Wait(&mutex_);
    return changes_;
  }
  void WaitForGaps(int count) {
    MutexLock lock(&mutex_);
    while (gaps_ < count) heard_.Wait(&mutex_);
  }

 private:
  Mutex mutex_;
  CondVar heard_;
  std::vector<StoreChange> changes_ ABSL_GUARDED_BY(mutex_);
  int gaps_ ABSL_GUARDED_BY(mutex_) = 0;
};

class PostgresTest : public testing::Test {
 protected:
  static JobChange NewJob() {
    JobChange change;
    change.record.job.set_name(JobName(NewUid()));
    change.record.job.set_state(v1::JOB_STATE_QUEUED);
    change.record.queue_time = absl::FromUnixSeconds(1'000);
    change.record.device_kinds = DeviceKindBits(v1::DEVICE_KIND_UNSPECIFIED);
    return change;
  }

  // A verb until the store has healed.
  static absl::Status Persist(absl::FunctionRef<absl::Status()> verb) {
    while (true) {
      const absl::Status status = verb();
      if (!absl::IsUnavailable(status)) return status;
      EXPECT_EQ(ReasonOf(status), "STORE_UNAVAILABLE") << status;
    }
  }

  std::unique_ptr<PostgresConnection> Connect() {
    auto connection = PostgresConnection::Open(database_);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  TemporaryFolder folder_;
  const PostgresOptions database_ = DatabaseOf(folder_.path());
};

TEST_F(PostgresTest, RefusesANewerSchema) {
  Open(database_);
  ASSERT_TRUE(
      Connect()
          ->Execute(absl::StrCat("UPDATE sasq_schema SET version = ", kPostgresSchemaVersion + 1))
          .ok());
  const absl::Status status = PostgresJobStore::Create({.connection = database_}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("newer sasqd"));
}

TEST_F(PostgresTest, CoordinatorsThatStartAtOnceMigrateOnce) {
  std::vector<std::thread> starters;
  for (int i = 0; i < 4; ++i) starters.emplace_back([this] { Open(database_); });
  for (std::thread& starter : starters) starter.join();
  EXPECT_EQ((*Connect()->Run("SELECT version FROM sasq_schema")).size(), 1);
}

TEST_F(PostgresTest, HearsWhatOthersChangeAndNotItself) {
  const auto first = Open(database_);
  const auto second = Open(database_);
  HeardChanges heard;
  second->Listen(heard);
  heard.WaitForGaps(1);
  const JobChange job = NewJob();
  ASSERT_TRUE(second->Insert(NewJob(), 0).ok());
  const std::string id = JobId(first->Insert(job, 0)->job);
  ASSERT_TRUE(first
                  ->Update(id,
                           [](JobChange& change) {
                             change.record.job.set_state(v1::JOB_STATE_FAILED);
                             CountChange(change.record);
                             change.log = "a line\n";
                             return absl::OkStatus();
                           })
                  .ok());
  ASSERT_TRUE(first
                  ->Update(id,
                           [](JobChange& change) {
                             change.record.lease_confirmed = true;
                             return absl::OkStatus();
                           })
                  .ok());
  ASSERT_TRUE(first->Delete(id, [](const JobRecord&) { return absl::OkStatus(); }).ok());
  const std::vector<StoreChange> changes = heard.WaitForChanges(3);
  ASSERT_EQ(changes.size(), 3u);
  for (const StoreChange& change : changes) EXPECT_EQ(change.job_id, id);
  EXPECT_TRUE(changes[0].queued && !changes[0].deleted);
  EXPECT_TRUE(changes[1].changed && changes[1].log_grew && !changes[1].queued);
  EXPECT_TRUE(changes[2].deleted && !changes[2].changed);
  second->StopListening();
}

TEST_F(PostgresTest, ChangesThatFailAreNotTold) {
  const auto first = Open(database_);
  const auto second = Open(database_);
  HeardChanges heard;
  second->Listen(heard);
  heard.WaitForGaps(1);
  const std::string id = JobId(first->Insert(NewJob(), 0)->job);
  EXPECT_FALSE(first
                   ->Update(id,
                            [](JobChange& change) {
                              CountChange(change.record);
                              return absl::AbortedError("no");
                            })
                   .ok());
  ASSERT_TRUE(first->Delete(id, [](const JobRecord&) { return absl::OkStatus(); }).ok());
  EXPECT_EQ(heard.WaitForChanges(2).size(), 2u) << "the insertion and the deletion";
  second->StopListening();
}

TEST_F(PostgresTest, TwoCoordinatorsNeverLeaseTheSameJob) {
  constexpr int kJobs = 40;
  const std::unique_ptr<PostgresJobStore> stores[] = {Open(database_), Open(database_)};
  for (int i = 0; i < kJobs; ++i) ASSERT_TRUE(stores[i % 2]->Insert(NewJob(), 0).ok());
  Mutex mutex;
  std::multiset<std::string> leased_ids;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      while (true) {
        const auto leased = stores[t % 2]->LeaseNext(
            {.device_kind = v1::DEVICE_KIND_CPU, .now = absl::Now()}, [](JobChange& change) {
              change.record.job.set_state(v1::JOB_STATE_RUNNING);
              return absl::OkStatus();
            });
        ASSERT_TRUE(leased.ok()) << leased.status();
        if (!leased->has_value()) return;
        MutexLock lock(&mutex);
        leased_ids.insert(JobId((*leased)->record.job));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(leased_ids.size(), kJobs);
  EXPECT_EQ(std::set<std::string>(leased_ids.begin(), leased_ids.end()).size(), kJobs);
}

TEST_F(PostgresTest, ARunningLimitHoldsForAllCoordinatorsTogether) {
  const std::unique_ptr<PostgresJobStore> stores[] = {Open(database_), Open(database_)};
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stores[0]->Insert(NewJob(), 0).ok());
  std::atomic<int> leases = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const LeaseOffer offer = {
          .device_kind = v1::DEVICE_KIND_CPU, .now = absl::Now(), .max_running_per_tenant = 5};
      for (int i = 0; i < 5; ++i) {
        const auto leased = stores[t % 2]->LeaseNext(offer, [](JobChange& change) {
          change.record.job.set_state(v1::JOB_STATE_RUNNING);
          return absl::OkStatus();
        });
        if (leased.ok() && leased->has_value()) ++leases;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(leases.load(), 5);
}

TEST_F(PostgresTest, SharesWorkersAmongCoordinators) {
  const auto first = Open(database_);
  const auto second = Open(database_);
  SharedWorker worker;
  worker.worker.set_id("worker-1");
  worker.worker.set_job("jobs/x");
  worker.instance_id = "instance";
  worker.last_seen = absl::FromUnixSeconds(100);
  const absl::Time oldest = absl::FromUnixSeconds(50);
  EXPECT_TRUE(first->ShareWorkers({worker}, oldest)->empty());
  const std::vector<SharedWorker> seen = *second->ShareWorkers({}, oldest);
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].worker.job(), "jobs/x");
  EXPECT_EQ(seen[0].instance_id, "instance");
  EXPECT_EQ(seen[0].last_seen, absl::FromUnixSeconds(100));

  // It moves; what the first one still believes does not bring it back.
  worker.last_seen = absl::FromUnixSeconds(200);
  worker.draining = true;
  EXPECT_TRUE(second->ShareWorkers({worker}, oldest)->empty());
  worker.last_seen = absl::FromUnixSeconds(150);
  const std::vector<SharedWorker> moved = *first->ShareWorkers({worker}, oldest);
  ASSERT_EQ(moved.size(), 1u);
  EXPECT_TRUE(moved[0].draining);
  EXPECT_TRUE(first->ShareWorkers({}, absl::FromUnixSeconds(201))->empty());
}

TEST_F(PostgresTest, HealsAfterTheDatabaseRestarted) {
  PostgresServer server;
  const PostgresOptions database = server.Database("restarted");
  const auto store = Open(database);
  HeardChanges heard;
  store->Listen(heard);
  heard.WaitForGaps(1);
  const std::string id = JobId(store->Insert(NewJob(), 0)->job);
  server.Kill();
  const absl::Status away = store->Get(id).status();
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  EXPECT_EQ(ReasonOf(away), "STORE_UNAVAILABLE");
  EXPECT_TRUE(absl::IsUnavailable(store->Insert(NewJob(), 0).status()));
  server.Start();
  EXPECT_TRUE(Persist([&] { return store->Get(id).status(); }).ok());
  EXPECT_TRUE(Persist([&] { return store->Insert(NewJob(), 0).status(); }).ok());
  heard.WaitForGaps(2);
  store->StopListening();
}

// Connections that the server closed while they were idle are replaced without anyone noticing.
TEST_F(PostgresTest, ReplacesConnectionsThatWereClosed) {
  const auto store = Open(database_);
  const std::string id = JobId(store->Insert(NewJob(), 0)->job);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(Connect()
                    ->Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                              "WHERE datname = current_database() AND pid <> pg_backend_pid()")
                    .ok());
    EXPECT_TRUE(store->Get(id).ok());
  }
}

// A transaction that was acknowledged stays, and one that was not leaves nothing behind.
TEST_F(PostgresTest, KilledInTheMiddleOfWritesLosesNothing) {
  PostgresServer server;
  const PostgresOptions database = server.Database("killed");
  const auto store = Open(database);
  std::atomic<bool> stop = false;
  Mutex mutex;
  std::set<std::string> acknowledged;
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&] {
      while (!stop.load()) {
        const JobChange job = NewJob();
        const absl::StatusOr<JobRecord> record = store->Insert(job, 0);
        if (!record.ok()) continue;
        MutexLock lock(&mutex);
        acknowledged.insert(JobId(record->job));
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    const size_t wanted = [&] {
      MutexLock lock(&mutex);
      return acknowledged.size() + 20;
    }();
    while ([&] {
      MutexLock lock(&mutex);
      return acknowledged.size() < wanted;
    }()) {
      std::this_thread::yield();
    }
    server.Kill();
    server.Start();
  }
  stop.store(true);
  for (std::thread& writer : writers) writer.join();
  for (const std::string& id : acknowledged) {
    EXPECT_TRUE(Persist([&] { return store->Get(id).status(); }).ok());
  }
}

TEST(PostgresErrors, SayWhatIsFull) {
  TemporaryFolder folder;
  const std::unique_ptr<PostgresConnection> connection =
      *PostgresConnection::Open(DatabaseOf(folder.path()));
  const auto raise = [&](const std::string& state) {
    return connection->Execute(
        absl::StrCat("DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '", state, "'; END $$"));
  };
  EXPECT_TRUE(absl::IsResourceExhausted(raise("53100")));
  EXPECT_EQ(ReasonOf(raise("53100")), "STORAGE_FULL");
  EXPECT_TRUE(absl::IsDataLoss(raise("XX001")));
  EXPECT_EQ(ReasonOf(raise("XX001")), "STORE_DAMAGED");
  EXPECT_TRUE(absl::IsUnavailable(raise("53300")));
  EXPECT_EQ(ReasonOf(raise("53300")), "STORE_UNAVAILABLE");
}

TEST(PostgresErrors, NeverShowAPassword) {
  for (const std::string url :
       {"postgres://sasq:geheim@127.0.0.1:1/nowhere",
        "postgres://sasq@127.0.0.1:1/x?password=geheim",
        "postgres://sasq:geheim@127.0.0.1:port/nowhere", "host=127.0.0.1 password=geheim"}) {
    const absl::Status status = PostgresJobStore::Create({.connection = {.url = url}}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_FALSE(absl::StrContains(status.ToString(), "geheim")) << status;
  }
  EXPECT_TRUE(HasPassword("postgres://sasq:geheim@127.0.0.1/x"));
  EXPECT_TRUE(HasPassword("postgres://sasq@127.0.0.1/x?password=geheim"));
  EXPECT_FALSE(HasPassword("postgres://sasq@127.0.0.1/x"));
}

}  // namespace
}  // namespace sasq
