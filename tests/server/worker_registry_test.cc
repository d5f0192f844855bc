#include "server/worker_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/rpc_status.h"

namespace sasq {
namespace {

constexpr absl::Time kStart = absl::FromUnixSeconds(1'000);

// Two coordinators that tell each other of their workers.
class SharedRegistryTest : public testing::Test {
 protected:
  static v1::Worker Named(const std::string& id) {
    v1::Worker worker;
    worker.set_id(id);
    worker.mutable_capabilities()->set_device_kind(v1::DEVICE_KIND_CPU);
    worker.mutable_capabilities()->set_float_flops_per_second(1e9);
    return worker;
  }

  void Share(absl::Time now) {
    const std::vector<SharedWorker> first = first_.TakeChanges(now);
    const std::vector<SharedWorker> second = second_.TakeChanges(now);
    first_.SetOthers(second);
    second_.SetOthers(first);
  }

  WorkerRegistry first_{absl::Seconds(30)};
  WorkerRegistry second_{absl::Seconds(30)};
};

TEST_F(SharedRegistryTest, BothSeeTheWholeFleet) {
  ASSERT_TRUE(first_.Register(Named("a"), "instance", kStart).ok());
  ASSERT_TRUE(second_.Register(Named("b"), "instance", kStart).ok());
  second_.SetJob("b", "jobs/1");
  Share(kStart);
  for (const WorkerRegistry* registry : {&first_, &second_}) {
    const std::vector<v1::Worker> workers = registry->List(kStart);
    ASSERT_EQ(workers.size(), 2u);
    EXPECT_EQ(workers[0].id(), "a");
    EXPECT_EQ(workers[0].state(), v1::WORKER_STATE_IDLE);
    EXPECT_EQ(workers[1].id(), "b");
    EXPECT_EQ(workers[1].state(), v1::WORKER_STATE_BUSY);
    EXPECT_EQ(registry->WaitingReason({.device_kinds = 6}, kStart), "a worker will take it next");
    EXPECT_EQ(registry->BestFlopsPerSecond(v1::DEVICE_KIND_CPU, kStart), 1e9);
    EXPECT_EQ(registry->ConnectedKinds(kStart), 1U << v1::DEVICE_KIND_CPU);
    EXPECT_EQ(registry->List(kStart + absl::Seconds(31))[0].state(), v1::WORKER_STATE_LOST);
  }
}

TEST_F(SharedRegistryTest, AnIdIsTakenForBoth) {
  ASSERT_TRUE(first_.Register(Named("a"), "instance", kStart).ok());
  Share(kStart);
  const absl::Status taken = second_.Register(Named("a"), "another", kStart);
  EXPECT_EQ(ReasonOf(taken), "WORKER_ID_TAKEN") << taken;
  EXPECT_EQ(second_.List(kStart).size(), 1u);
  EXPECT_TRUE(second_.Register(Named("a"), "another", kStart + absl::Seconds(31)).ok());
}

TEST_F(SharedRegistryTest, AWorkerThatMovesIsKnownByWhoHeardOfItLast) {
  ASSERT_TRUE(first_.Register(Named("a"), "instance", kStart).ok());
  first_.SetJob("a", "jobs/1");
  Share(kStart);
  const absl::Time later = kStart + absl::Seconds(1);
  ASSERT_TRUE(second_.Register(Named("a"), "instance", later).ok());
  Share(later);
  for (const WorkerRegistry* registry : {&first_, &second_}) {
    const std::vector<v1::Worker> workers = registry->List(later);
    ASSERT_EQ(workers.size(), 1u);
    EXPECT_EQ(workers[0].job(), "");
  }
}

TEST_F(SharedRegistryTest, TellsOfWhatChangedAndNowAndThenOfTheRest) {
  ASSERT_TRUE(first_.Register(Named("a"), "instance", kStart).ok());
  EXPECT_EQ(first_.TakeChanges(kStart).size(), 1u);
  EXPECT_THAT(first_.TakeChanges(kStart), testing::IsEmpty());
  first_.SetJob("a", "jobs/1");
  EXPECT_EQ(first_.TakeChanges(kStart).size(), 1u);
  first_.SetJob("a", "jobs/1");
  EXPECT_THAT(first_.TakeChanges(kStart), testing::IsEmpty());
  ASSERT_TRUE(first_.Touch("a", "instance", kStart + absl::Seconds(5)).ok());
  EXPECT_THAT(first_.TakeChanges(kStart + absl::Seconds(5)), testing::IsEmpty());
  ASSERT_TRUE(first_.Touch("a", "instance", kStart + absl::Seconds(8)).ok());
  EXPECT_EQ(first_.TakeChanges(kStart + absl::Seconds(8)).size(), 1u);
  first_.ShareAgain();
  EXPECT_EQ(first_.TakeChanges(kStart + absl::Seconds(8)).size(), 1u);
  EXPECT_THAT(first_.TakeChanges(kStart + absl::Hours(1)), testing::IsEmpty())
      << "nobody heard of it";
}

TEST_F(SharedRegistryTest, AHeldPollCountsAsBeingHeardOf) {
  ASSERT_TRUE(first_.Register(Named("a"), "instance", kStart).ok());
  first_.BeginPoll("a", "instance");
  const absl::Time later = kStart + absl::Minutes(5);
  Share(later);
  EXPECT_EQ(second_.List(later)[0].state(), v1::WORKER_STATE_IDLE);
}

}  // namespace
}  // namespace sasq
