#include "server/remote_changes.h"

#include "server/names.h"
#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

// Remembers what it was told, and lets tests wait for it. Thread-safe.
class Follower final : public JobSubscriber {
 public:
  void OnJobChanged(const std::shared_ptr<const v1::Job>& job) override { Note(job->name()); }
  void OnJobLogGrew() override { Note("log"); }
  void OnJobDeleted() override { Note("deleted"); }
  void OnServerShutdown() override {}

  // The first `count` things.
  std::vector<std::string> Wait(size_t count) {
    MutexLock lock(&mutex_);
    while (told_.size() < count) changed_.Wait(&mutex_);
    return told_;
  }

 private:
  void Note(const std::string& what) {
    MutexLock lock(&mutex_);
    told_.push_back(what);
    changed_.SignalAll();
  }

  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> told_ ABSL_GUARDED_BY(mutex_);
};

class RemoteChangesTest : public CoordinatorFixture {
 protected:
  void TearDown() override { executor_.Stop(); }

  std::string IdOf(const v1::Job& job) { return *ParseJobName(job.name()); }

  WatchHub hub_{[] {}};
  Executor executor_{{.thread_count = 1}};
  const CoordinatorParts parts_ = {clock_, *jobs_, *keeper_, *workers_, events_, metrics_};
  RemoteChanges changes_{parts_, hub_, executor_};
  const std::shared_ptr<Follower> follower_ = std::make_shared<Follower>();
};

TEST_F(RemoteChangesTest, ReadsJobsThatSomebodyFollows) {
  const v1::Job followed = Submit();
  const v1::Job other = Submit();
  ASSERT_TRUE(hub_.Subscribe(followed.name(), follower_));
  changes_.OnStoreChange({.job_id = IdOf(other), .changed = true, .log_grew = true});
  changes_.OnStoreChange({.job_id = IdOf(followed), .log_grew = true});
  EXPECT_THAT(follower_->Wait(1), testing::ElementsAre("log"));
  changes_.OnStoreChange({.job_id = IdOf(followed), .changed = true});
  EXPECT_THAT(follower_->Wait(2), testing::ElementsAre("log", followed.name()));
  changes_.OnStoreChange({.job_id = IdOf(followed), .deleted = true});
  EXPECT_THAT(follower_->Wait(3), testing::ElementsAre("log", followed.name(), "deleted"));
}

TEST_F(RemoteChangesTest, WakesWaitingWorkers) {
  const int before = events_.queued_count();
  changes_.OnStoreChange({.job_id = NewUid(), .queued = true});
  EXPECT_EQ(events_.queued_count(), before + 1);
}

TEST_F(RemoteChangesTest, AGapLooksAtEverything) {
  const v1::Job job = Submit();
  const int before = events_.queued_count();
  ASSERT_TRUE(hub_.Subscribe(job.name(), follower_));
  changes_.OnStoreGap();
  EXPECT_THAT(follower_->Wait(2), testing::UnorderedElementsAre("log", job.name()));
  EXPECT_EQ(events_.queued_count(), before + 1);
}

TEST_F(RemoteChangesTest, AJobThatIsGoneIsDeleted) {
  const std::string id = NewUid();
  ASSERT_TRUE(hub_.Subscribe(JobName(id), follower_));
  changes_.OnStoreChange({.job_id = id, .changed = true});
  EXPECT_THAT(follower_->Wait(1), testing::ElementsAre("deleted"));
}

}  // namespace
}  // namespace sasq
