#include "server/watch_hub.h"

#include <gtest/gtest.h>

#include <memory>

namespace sasq {
namespace {

class CountingSubscriber final : public JobSubscriber {
 public:
  void OnJobChanged(const std::shared_ptr<const v1::Job>&) override { ++changes; }
  void OnJobLogGrew() override { ++log_growths; }
  void OnJobDeleted() override { ++deletions; }
  void OnServerShutdown() override { ++shutdowns; }
  int changes = 0;
  int log_growths = 0;
  int deletions = 0;
  int shutdowns = 0;
};

TEST(WatchHubTest, TellsThoseWhoFollowTheJob) {
  int queued = 0;
  WatchHub hub([&] { ++queued; });
  const auto one = std::make_shared<CountingSubscriber>();
  const auto two = std::make_shared<CountingSubscriber>();
  ASSERT_TRUE(hub.Subscribe("jobs/a", one));
  ASSERT_TRUE(hub.Subscribe("jobs/b", two));
  const auto job = std::make_shared<v1::Job>();
  job->set_name("jobs/a");
  hub.OnJobChanged(job);
  hub.OnJobLogGrew("jobs/a");
  hub.OnJobDeleted("jobs/a");
  hub.OnJobQueued();
  EXPECT_EQ(one->changes, 1);
  EXPECT_EQ(one->log_growths, 1);
  EXPECT_EQ(one->deletions, 1);
  EXPECT_EQ(two->changes, 0);
  EXPECT_EQ(queued, 1);
}

TEST(WatchHubTest, ForgetsWhoLeaves) {
  WatchHub hub([] {});
  const auto subscriber = std::make_shared<CountingSubscriber>();
  ASSERT_TRUE(hub.Subscribe("jobs/a", subscriber));
  EXPECT_EQ(subscriber.use_count(), 2);
  hub.Unsubscribe("jobs/a", subscriber.get());
  hub.Unsubscribe("jobs/a", subscriber.get());
  EXPECT_EQ(subscriber.use_count(), 1);
  hub.OnJobLogGrew("jobs/a");
  EXPECT_EQ(subscriber->log_growths, 0);
}

TEST(WatchHubTest, ShutdownTellsEveryoneAndRefusesTheRest) {
  WatchHub hub([] {});
  const auto subscriber = std::make_shared<CountingSubscriber>();
  ASSERT_TRUE(hub.Subscribe("jobs/a", subscriber));
  hub.Shutdown();
  hub.Shutdown();
  EXPECT_EQ(subscriber->shutdowns, 1);
  EXPECT_FALSE(hub.Subscribe("jobs/a", subscriber));
}

}  // namespace
}  // namespace sasq
