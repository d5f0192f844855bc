#include "common/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace sasq {
namespace {

TEST(ExecutorTest, RunsWhatIsQueuedBeforeItStops) {
  std::atomic<int> ran = 0;
  {
    Executor executor({.thread_count = 2, .max_queued = 1000});
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(executor.TrySubmit([&] { ++ran; }));
  }
  EXPECT_EQ(ran, 100);
}

TEST(ExecutorTest, RefusesWhenTheQueueIsFull) {
  Executor executor({.thread_count = 1, .max_queued = 1});
  std::promise<void> started;
  std::promise<void> release;
  ASSERT_TRUE(executor.TrySubmit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  EXPECT_TRUE(executor.TrySubmit([] {}));
  EXPECT_FALSE(executor.TrySubmit([] {}));
  release.set_value();
}

TEST(ExecutorTest, RefusesAfterStop) {
  Executor executor({.thread_count = 1, .max_queued = 1});
  executor.Stop();
  executor.Stop();
  EXPECT_FALSE(executor.TrySubmit([] {}));
}

}  // namespace
}  // namespace sasq
