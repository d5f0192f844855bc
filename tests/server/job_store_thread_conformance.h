// What every JobStore must do for many threads at once.
#ifndef SASQ_TESTS_SERVER_JOB_STORE_THREAD_CONFORMANCE_H_
#define SASQ_TESTS_SERVER_JOB_STORE_THREAD_CONFORMANCE_H_

#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/server/job_store_conformance.h"

namespace sasq {

TEST_P(JobStoreConformance, WritesOfManyThreadsSucceedOrFailOneByOne) {
  constexpr int kThreads = 8;
  constexpr int kWrites = 25;
  std::atomic<int> refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string id = Insert(NewJob(absl::StrCat("request ", t, " ", i)));
        const absl::Status status = store_
                                        ->Update(id,
                                                 [](JobChange& change) {
                                                   change.log = "lost\n";
                                                   return absl::AbortedError("no");
                                                 })
                                        .status();
        if (absl::IsAborted(status)) ++refused;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(refused.load(), kThreads * kWrites);
  EXPECT_EQ(store_->Stats()->count_by_state.at(v1::JOB_STATE_QUEUED), kThreads * kWrites);
  const std::vector<JobRecord> all = *store_->List({}, 0, kThreads * kWrites);
  for (const JobRecord& record : all) {
    EXPECT_EQ(record.log_size_bytes, 0);
  }
}

TEST_P(JobStoreConformance, TwoCallersNeverLeaseTheSameJob) {
  constexpr int kJobs = 20;
  for (int i = 0; i < kJobs; ++i) Insert(NewJob());
  Mutex mutex;
  std::multiset<std::string> leased_ids;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (true) {
        const auto leased = store_->LeaseNext(kCpu, [](JobChange& change) {
          return Lease(change, "worker", absl::FromUnixSeconds(5));
        });
        if (!leased.ok() || !leased->has_value()) return;
        MutexLock lock(&mutex);
        leased_ids.insert(JobId((*leased)->record.job));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(leased_ids.size(), kJobs);
  EXPECT_EQ(std::set<std::string>(leased_ids.begin(), leased_ids.end()).size(), kJobs);
}

TEST_P(JobStoreConformance, ConcurrentUpdatesAreNotLost) {
  const std::string id = Insert(NewJob());
  constexpr int kThreads = 4;
  constexpr int kUpdates = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kUpdates; ++i) {
        EXPECT_TRUE(store_
                        ->Update(id,
                                 [](JobChange& change) {
                                   CountChange(change.record);
                                   return absl::OkStatus();
                                 })
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->Get(id)->job.sequence(), 1 + kThreads * kUpdates);
}

TEST_P(JobStoreConformance, CallsWithOneRequestIdAtOnceMakeOneJob) {
  constexpr int kCallers = 6;
  Mutex mutex;
  std::set<std::string> ids;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < kCallers; ++caller) {
    callers.emplace_back([&] {
      const std::string id = Insert(NewJob("request", "same"));
      MutexLock lock(&mutex);
      ids.insert(id);
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(ids.size(), 1u);
  EXPECT_EQ(store_->List({}, 0, 10)->size(), 1u);
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_JOB_STORE_THREAD_CONFORMANCE_H_
