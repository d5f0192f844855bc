// Two keepers on one job store and one blob store, as of two coordinators.
#include "server/blob_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/metrics.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/uid.h"
#include "server/folder_blob_store.h"
#include "server/names.h"
#include "server/sqlite_job_store.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

class TwoKeepersTest : public testing::Test {
 protected:
  BlobKeeper::Options Options() {
    BlobKeeper::Options options;
    options.clock = &clock_;
    return options;
  }

  static dispatch::v1::ArtifactFile File(const std::string& content) {
    dispatch::v1::ArtifactFile file;
    file.set_file_name("file");
    file.set_content(content);
    return file;
  }

  bool IsThere(const std::string& sha256) { return blobs_->SizeOf(sha256)->has_value(); }

  TemporaryFolder folder_;
  ManualClock clock_{absl::FromUnixSeconds(1'000'000)};
  MetricRegistry registry_;
  ServerMetrics metrics_{registry_};
  std::unique_ptr<SqliteJobStore> jobs_ =
      *SqliteJobStore::Create({.path = folder_.path() + "/jobs.sqlite"});
  std::unique_ptr<FolderBlobStore> blobs_ = *FolderBlobStore::Create(folder_.path() + "/blobs");
  BlobKeeper first_{*blobs_, *jobs_, metrics_, Options()};
  BlobKeeper second_{*blobs_, *jobs_, metrics_, Options()};
};

TEST_F(TwoKeepersTest, JobStoreWithoutJobsCostsNoBlobs) {
  const std::string sha256 = *blobs_->Put("of another database");
  ASSERT_TRUE(first_.RemoveOrphans().ok());
  EXPECT_TRUE(IsThere(sha256));
  JobChange job;
  job.record.job.set_name(JobName(NewUid()));
  job.record.job.set_state(v1::JOB_STATE_QUEUED);
  ASSERT_TRUE(jobs_->Insert(job, 0).ok());
  ASSERT_TRUE(first_.RemoveOrphans().ok());
  EXPECT_FALSE(IsThere(sha256));
}

TEST_F(TwoKeepersTest, WhatOnePutsTheOtherDoesNotCollect) {
  const dispatch::v1::ArtifactFile file = File("content");
  const std::string sha256 = Sha256Hex("content");
  BlobKeeper::Held held;
  ASSERT_TRUE(first_.Put({&file}, held).ok());
  second_.RemoveUnreferenced({sha256});
  ASSERT_TRUE(second_.RemoveOrphans().ok());
  EXPECT_TRUE(IsThere(sha256));

  BlobKeeper::Held also_held;
  ASSERT_TRUE(second_.Put({&file}, also_held).ok());
  first_.Release(held);
  EXPECT_TRUE(IsThere(sha256)) << "the second holds it";
  second_.Release(also_held);
  EXPECT_FALSE(IsThere(sha256));
}

TEST_F(TwoKeepersTest, AHolderThatDiedLetsGoAfterAWhile) {
  const dispatch::v1::ArtifactFile file = File("content");
  BlobKeeper::Held held;
  ASSERT_TRUE(first_.Put({&file}, held).ok());
  clock_.Advance(absl::Hours(25));
  ASSERT_TRUE(second_.RemoveExpiredUploads(clock_.Now()).ok());
  EXPECT_FALSE(IsThere(Sha256Hex("content")));
}

TEST_F(TwoKeepersTest, APutWaitsForARemovalToEnd) {
  const dispatch::v1::ArtifactFile file = File("content");
  const std::string sha256 = *blobs_->Put("content");
  ASSERT_TRUE(*jobs_->BeginBlobRemoval(sha256, "remover", clock_.Now()));
  BlobKeeper::Held held;
  std::thread putter([&] { EXPECT_TRUE(first_.Put({&file}, held).ok()); });
  ASSERT_TRUE(blobs_->Delete(sha256).ok());
  ASSERT_TRUE(jobs_->EndBlobRemoval(sha256, "remover").ok());
  putter.join();
  EXPECT_TRUE(IsThere(sha256));
  first_.Release(held);
}

TEST_F(TwoKeepersTest, ARemovalThatDiedIsFinished) {
  const std::string sha256 = *blobs_->Put("content");
  ASSERT_TRUE(*jobs_->BeginBlobRemoval(sha256, "remover", clock_.Now()));
  ASSERT_TRUE(second_.RemoveExpiredUploads(clock_.Now()).ok());
  EXPECT_TRUE(IsThere(sha256));
  clock_.Advance(JobStore::kBlobRemovalTimeout);
  ASSERT_TRUE(second_.RemoveExpiredUploads(clock_.Now()).ok());
  EXPECT_FALSE(IsThere(sha256));
  EXPECT_TRUE(jobs_->NoteUploads("", {sha256}, clock_.Now()).ok());
}

// Both put and let go of the same bytes, without a pause: what is held is there.
TEST_F(TwoKeepersTest, HeldBlobsAreAlwaysThere) {
  constexpr int kRounds = 40;
  std::vector<std::thread> threads;
  for (BlobKeeper* keeper : {&first_, &second_, &first_}) {
    threads.emplace_back([this, keeper] {
      const dispatch::v1::ArtifactFile file = File("the same");
      for (int round = 0; round < kRounds; ++round) {
        BlobKeeper::Held held;
        const absl::Status status = keeper->Put({&file}, held);
        ASSERT_TRUE(status.ok()) << status;
        EXPECT_TRUE(blobs_->Open(Sha256Hex("the same")).ok());
        keeper->Release(held);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(IsThere(Sha256Hex("the same")));
}

}  // namespace
}  // namespace sasq
