#include "server/sqlite_job_store.h"

#include <fstream>

#include "server/sqlite_schema.h"
#include "tests/server/job_store_blob_conformance.h"
#include "tests/server/job_store_conformance.h"
#include "tests/server/job_store_thread_conformance.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

std::unique_ptr<JobStore> MakeSqliteStore(const std::string& folder) {
  auto store = SqliteJobStore::Create({.path = folder + "/jobs.sqlite"});
  EXPECT_TRUE(store.ok()) << store.status();
  return *std::move(store);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, JobStoreConformance, testing::Values(&MakeSqliteStore));

class SqliteTest : public testing::Test {
 protected:
  std::unique_ptr<SqliteConnection> Connect() {
    auto connection = SqliteConnection::Open(path_, absl::Milliseconds(20));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_.path() + "/jobs.sqlite";
};

TEST_F(SqliteTest, RefusesANewerSchema) {
  { ASSERT_TRUE(SqliteJobStore::Create({.path = path_}).ok()); }
  ASSERT_TRUE(
      Connect()->Execute(absl::StrCat("PRAGMA user_version = ", kSqliteSchemaVersion + 1)).ok());
  const absl::Status status = SqliteJobStore::Create({.path = path_}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("newer sasqd"));
}

TEST_F(SqliteTest, SyncsEveryCommitToDisk) {
  const std::unique_ptr<SqliteConnection> connection = Connect();
  const auto pragma = [&](const char* sql) {
    SqliteStatement statement = *connection->Prepare(sql);
    EXPECT_TRUE(*statement.Step());
    return statement.Bytes(0);
  };
  EXPECT_EQ(pragma("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(pragma("PRAGMA synchronous"), "2");  // FULL
  EXPECT_EQ(pragma("PRAGMA foreign_keys"), "1");
}

TEST_F(SqliteTest, SaysThatAnotherProcessHoldsTheLock) {
  auto store = SqliteJobStore::Create({.path = path_, .busy_timeout = absl::Milliseconds(20)});
  ASSERT_TRUE(store.ok());
  const std::unique_ptr<SqliteConnection> other = Connect();
  ASSERT_TRUE(other->Execute("BEGIN IMMEDIATE").ok());
  JobChange change;
  change.record.job.set_name(JobName(NewUid()));
  const absl::Status status = (*store)->Insert(change, 0).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(ReasonOf(status), "STORE_UNAVAILABLE");
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("another process"));
  ASSERT_TRUE(other->Execute("ROLLBACK").ok());
  EXPECT_TRUE((*store)->Insert(change, 0).ok());
}

TEST_F(SqliteTest, AFullDiskIsResourceExhaustedAndLosesNothing) {
  const std::unique_ptr<SqliteConnection> connection = Connect();
  ASSERT_TRUE(connection->Execute("CREATE TABLE t (data BLOB); PRAGMA max_page_count = 8;").ok());
  const std::string data(2000, 'x');
  absl::Status status;
  int written = 0;
  while (status.ok() && written < 100) {
    status = connection->Transaction(SqliteAccess::kWrite, [&]() -> absl::Status {
      return connection->Prepare("INSERT INTO t VALUES (?)")->BindBlob(data).Run();
    });
    if (status.ok()) ++written;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(ReasonOf(status), "STORAGE_FULL");
  SqliteStatement count = *connection->Prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(*count.Step());
  EXPECT_EQ(count.Int(0), written);
  EXPECT_GT(written, 0);
}

TEST_F(SqliteTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(5000, 'x');
  const absl::Status status = SqliteJobStore::Create({.path = path_}).status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_EQ(ReasonOf(status), "STORE_DAMAGED");
}

TEST_F(SqliteTest, NamesAFolderThatIsNotThere) {
  const absl::Status status =
      SqliteJobStore::Create({.path = folder_.path() + "/missing/jobs.sqlite"}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("missing/jobs.sqlite"));
}

}  // namespace
}  // namespace sasq
