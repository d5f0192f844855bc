// What every JobStore must do, as tests over a factory. A test file includes this and the two
// headers beside it, of blobs and of threads, and instantiates JobStoreConformance with the factory
// of its store.
#ifndef SASQ_TESTS_SERVER_JOB_STORE_CONFORMANCE_H_
#define SASQ_TESTS_SERVER_JOB_STORE_CONFORMANCE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "common/uid.h"
#include "server/job_store.h"
#include "server/names.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {

// Makes a store on `folder`; a second call on the same folder sees what the first one kept.
using JobStoreFactory = std::function<std::unique_ptr<JobStore>(const std::string& folder)>;

class JobStoreConformance : public testing::TestWithParam<JobStoreFactory> {
 protected:
  JobStoreConformance() : store_(GetParam()(folder_.path())) {}

  static constexpr absl::Time kNow = absl::FromUnixSeconds(2'000);
  static constexpr LeaseOffer kCpu = {.device_kind = v1::DEVICE_KIND_CPU, .now = kNow};

  static JobChange NewJob(const std::string& request_id = "", const std::string& fingerprint = "f",
                          v1::DeviceKind device_kind = v1::DEVICE_KIND_UNSPECIFIED) {
    JobChange change;
    change.record.request_id = request_id;
    change.record.spec_fingerprint = fingerprint;
    change.record.queue_time = absl::FromUnixSeconds(1'000);
    v1::Job& job = change.record.job;
    job.set_name(JobName(NewUid()));
    *job.mutable_spec() = MinimalSpec();
    job.mutable_spec()->set_device_kind(device_kind);
    change.record.device_kinds = DeviceKindBits(device_kind);
    job.set_state(v1::JOB_STATE_QUEUED);
    job.set_sequence(1);
    return change;
  }

  std::string Insert(const JobChange& change) {
    const absl::StatusOr<JobRecord> record = store_->Insert(change, 0);
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? JobId(record->job) : "";
  }

  static absl::Status Lease(JobChange& change, const std::string& worker, absl::Time expiry) {
    change.record.job.set_state(v1::JOB_STATE_RUNNING);
    change.record.job.set_worker(worker);
    change.record.lease_token = "token";
    change.record.lease_instance = "instance";
    change.record.lease_expire_time = expiry;
    return absl::OkStatus();
  }

  static JobChange OfTenant(const std::string& tenant) {
    JobChange change = NewJob();
    change.record.job.set_tenant(tenant);
    return change;
  }

  // The job that the offer gets, or `none`.
  std::string LeasedId(const LeaseOffer& offer) {
    const auto leased = store_->LeaseNext(offer, [](JobChange& change) {
      return Lease(change, "worker", absl::FromUnixSeconds(5'000));
    });
    EXPECT_TRUE(leased.ok()) << leased.status();
    return leased.ok() && leased->has_value() ? JobId((*leased)->record.job) : "none";
  }

  TemporaryFolder folder_;
  std::unique_ptr<JobStore> store_;
};

TEST_P(JobStoreConformance, KeepsEveryFieldOverAReopen) {
  JobChange change = NewJob("request", "fingerprint");
  change.log = "first line\n";
  const std::string id = Insert(change);
  ASSERT_TRUE(store_
                  ->Update(id,
                           [](JobChange& c) {
                             c.record.lease_confirmed = true;
                             c.record.log_truncated = true;
                             c.record.completed_token = "done";
                             c.record.queue_time = absl::FromUnixMicros(1'234'567);
                             c.record.attempt_expire_time = absl::FromUnixMicros(8'000'001);
                             c.record.device_kinds = 4;
                             return Lease(c, "worker", absl::FromUnixMicros(7'654'321));
                           })
                  .ok());
  store_.reset();
  store_ = GetParam()(folder_.path());
  const absl::StatusOr<JobRecord> record = store_->Get(id);
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->request_id, "request");
  EXPECT_EQ(record->spec_fingerprint, "fingerprint");
  EXPECT_EQ(record->log_size_bytes, 11);
  EXPECT_TRUE(record->log_truncated);
  EXPECT_EQ(record->queue_time, absl::FromUnixMicros(1'234'567));
  EXPECT_EQ(record->lease_token, "token");
  EXPECT_EQ(record->lease_instance, "instance");
  EXPECT_TRUE(record->lease_confirmed);
  EXPECT_EQ(record->lease_expire_time, absl::FromUnixMicros(7'654'321));
  EXPECT_EQ(record->attempt_expire_time, absl::FromUnixMicros(8'000'001));
  EXPECT_EQ(record->device_kinds, 4u);
  EXPECT_EQ(record->completed_token, "done");
  EXPECT_EQ(record->job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(record->job.spec().model().uri(), "file:/nowhere/model");
  EXPECT_GT(record->position, 0);
}

TEST_P(JobStoreConformance, SameRequestIdAndSpecGivesTheFirstJob) {
  const JobChange first = NewJob("request", "same");
  const std::string id = Insert(first);
  EXPECT_EQ(Insert(NewJob("request", "same")), id);
  const absl::Status reused = store_->Insert(NewJob("request", "other"), 0).status();
  EXPECT_TRUE(absl::IsAlreadyExists(reused)) << reused;
  EXPECT_EQ(ReasonOf(reused), "REQUEST_ID_REUSED");
  EXPECT_NE(Insert(NewJob("", "same")), Insert(NewJob("", "same")));
}

TEST_P(JobStoreConformance, UnknownJobIsNotFoundByEveryVerb) {
  const std::string id = NewUid();
  const absl::Status errors[] = {
      store_->Get(id).status(),
      store_->Update(id, [](JobChange&) { return absl::OkStatus(); }).status(),
      store_->ReadLog(id, 0, 10).status(),
      store_->Delete(id, [](const JobRecord&) { return absl::OkStatus(); }).status()};
  for (const absl::Status& error : errors) {
    EXPECT_TRUE(absl::IsNotFound(error)) << error;
    EXPECT_EQ(ReasonOf(error), "JOB_NOT_FOUND");
  }
  EXPECT_EQ(ReasonOf(store_->GetArtifact(id).status()), "ARTIFACT_NOT_FOUND");
}

TEST_P(JobStoreConformance, ErrorInAChangeRollsAllOfItBack) {
  const std::string id = Insert(NewJob());
  const absl::Status status = store_
                                  ->Update(id,
                                           [](JobChange& change) {
                                             change.log = "lost\n";
                                             change.record.job.set_sequence(9);
                                             return absl::AbortedError("no");
                                           })
                                  .status();
  EXPECT_TRUE(absl::IsAborted(status));
  EXPECT_EQ(store_->Get(id)->job.sequence(), 1);
  EXPECT_EQ(store_->ReadLog(id, 0, 100)->log_size_bytes, 0);
}

TEST_P(JobStoreConformance, ListsNewestFirstByStateInPages) {
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Insert(NewJob()));
  ASSERT_TRUE(store_
                  ->LeaseNext(kCpu,
                              [](JobChange& change) {
                                return Lease(change, "worker", absl::FromUnixSeconds(5));
                              })
                  .ok());
  const auto names = [](const std::vector<JobRecord>& records) {
    std::vector<std::string> result;
    for (const JobRecord& record : records) result.push_back(JobId(record.job));
    return result;
  };
  const std::vector<JobRecord> all = *store_->List({}, 0, 10);
  EXPECT_THAT(names(all), testing::ElementsAre(ids[4], ids[3], ids[2], ids[1], ids[0]));
  const std::vector<JobRecord> queued = *store_->List({{v1::JOB_STATE_QUEUED}, {}}, 0, 2);
  EXPECT_THAT(names(queued), testing::ElementsAre(ids[4], ids[3]));
  EXPECT_THAT(names(*store_->List({{v1::JOB_STATE_QUEUED}, {}}, queued.back().position, 10)),
              testing::ElementsAre(ids[2], ids[1]));
  EXPECT_THAT(names(*store_->List({{v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED}, {}}, 0, 10)),
              testing::ElementsAre(ids[0]));
}

TEST_P(JobStoreConformance, LeasesTheOldestJobForTheDevice) {
  const std::string cuda = Insert(NewJob("", "f", v1::DEVICE_KIND_CUDA));
  const std::string any = Insert(NewJob());
  const std::string cpu = Insert(NewJob("", "f", v1::DEVICE_KIND_CPU));
  const auto lease = [this](v1::DeviceKind kind) -> std::string {
    const auto leased = store_->LeaseNext(
        {.device_kind = kind, .now = kNow},
        [](JobChange& change) { return Lease(change, "worker", absl::FromUnixSeconds(5)); });
    EXPECT_TRUE(leased.ok()) << leased.status();
    return leased->has_value() ? JobId((*leased)->record.job) : "none";
  };
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), any);
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), cpu);
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), "none");
  EXPECT_EQ(lease(v1::DEVICE_KIND_CUDA), cuda);
}

TEST_P(JobStoreConformance, LeasesByPriorityAndAge) {
  const auto insert = [this](int priority, int64_t create_seconds) {
    JobChange job = NewJob();
    job.record.job.mutable_spec()->set_priority(priority);
    job.record.job.mutable_create_time()->set_seconds(create_seconds);
    return Insert(job);
  };
  const std::string low = insert(100, 1'000);
  const std::string normal = insert(102, 1'119);
  const std::string low_too = insert(100, 1'000);
  const std::string old = insert(100, 998);
  const std::string urgent = insert(1000, 1'500);
  // A point is worth a minute: 102 from second 1119 on counts as 100 from 999 on.
  EXPECT_EQ(LeasedId(kCpu), urgent);
  EXPECT_EQ(LeasedId(kCpu), old);
  EXPECT_EQ(LeasedId(kCpu), normal);
  EXPECT_EQ(LeasedId(kCpu), low);
  EXPECT_EQ(LeasedId(kCpu), low_too);
  EXPECT_EQ(LeasedId(kCpu), "none");
}

TEST_P(JobStoreConformance, PassesOverJobsThatTheWorkerMayNotHave) {
  JobChange large = NewJob();
  large.record.job.mutable_spec()->set_min_worker_memory_bytes(100);
  JobChange pausing = NewJob();
  pausing.record.job.mutable_ready_time()->set_seconds(2'001);
  const std::string large_id = Insert(large);
  const std::string pausing_id = Insert(pausing);
  EXPECT_EQ(LeasedId(kCpu), "none");
  EXPECT_EQ(LeasedId({.device_kind = v1::DEVICE_KIND_CPU, .memory_bytes = 99, .now = kNow}),
            "none");
  EXPECT_EQ(LeasedId({.device_kind = v1::DEVICE_KIND_CPU, .memory_bytes = 100, .now = kNow}),
            large_id);
  EXPECT_EQ(LeasedId({.device_kind = v1::DEVICE_KIND_CPU, .now = kNow + absl::Seconds(1)}),
            pausing_id);
}

TEST_P(JobStoreConformance, DeviceKindsOfAJobCanShrink) {
  const std::string id = Insert(NewJob());
  ASSERT_TRUE(store_
                  ->Update(id,
                           [](JobChange& change) {
                             change.record.device_kinds &= ~DeviceKindBits(v1::DEVICE_KIND_CPU);
                             return absl::OkStatus();
                           })
                  .ok());
  EXPECT_EQ(LeasedId(kCpu), "none");
  EXPECT_EQ(LeasedId({.device_kind = v1::DEVICE_KIND_CUDA, .now = kNow}), id);
}

TEST_P(JobStoreConformance, TenantsHaveLimitsAndListsOfTheirOwn) {
  std::vector<std::string> of_a;
  for (int i = 0; i < 3; ++i) of_a.push_back(Insert(OfTenant("a")));
  const std::string of_b = Insert(OfTenant("b"));
  const absl::Status full = store_->Insert(OfTenant("a"), 3).status();
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_EQ(ReasonOf(full), "TENANT_QUEUE_FULL");
  EXPECT_TRUE(store_->Insert(OfTenant("a"), 4).ok());
  EXPECT_TRUE(store_->Insert(OfTenant("c"), 1).ok());

  LeaseOffer two_each = kCpu;
  two_each.max_running_per_tenant = 2;
  EXPECT_EQ(LeasedId(two_each), of_a[0]);
  EXPECT_EQ(LeasedId(two_each), of_a[1]);
  EXPECT_EQ(LeasedId(two_each), of_b);
  EXPECT_NE(LeasedId(two_each), "none") << "of c";
  EXPECT_EQ(LeasedId(two_each), "none") << "a runs two";
  EXPECT_EQ(LeasedId(kCpu), of_a[2]);

  EXPECT_EQ(store_->List({.states = {}, .tenant = "a"}, 0, 10)->size(), 4u);
  EXPECT_EQ(store_->List({.states = {v1::JOB_STATE_QUEUED}, .tenant = "b"}, 0, 10)->size(), 0u);
  EXPECT_EQ(store_->List({}, 0, 10)->size(), 6u);
}

TEST_P(JobStoreConformance, RequestIdsAreThoseOfATenant) {
  const auto of = [](const std::string& tenant, const std::string& fingerprint) {
    JobChange change = NewJob("request", fingerprint);
    change.record.job.set_tenant(tenant);
    return change;
  };
  const std::string of_a = Insert(of("a", "1"));
  EXPECT_NE(Insert(of("b", "2")), of_a);
  EXPECT_EQ(Insert(of("a", "1")), of_a);
  EXPECT_EQ(store_->Get(of_a)->request_id, "request");
}

TEST_P(JobStoreConformance, BestScalesAreReplacedAndDeleted) {
  const std::string id = Insert(NewJob());
  EXPECT_EQ(*store_->GetBestScales(id), "");
  EXPECT_EQ(ReasonOf(store_->GetBestScales(NewUid()).status()), "JOB_NOT_FOUND");
  for (const std::string scales : {"one", "two", ""}) {
    ASSERT_TRUE(store_
                    ->Update(id,
                             [&scales](JobChange& change) {
                               change.best_scales = scales;
                               return absl::OkStatus();
                             })
                    .ok());
    EXPECT_EQ(*store_->GetBestScales(id), scales);
  }
}

TEST_P(JobStoreConformance, FindsTheNewestArtifactWithAContentKey) {
  const auto insert = [this](const std::string& tenant, bool has_artifact) {
    JobChange change = OfTenant(tenant);
    change.content_keys = {"key", "another"};
    if (has_artifact) change.artifact.emplace().set_job(change.record.job.name());
    return Insert(change);
  };
  const auto found = [this](const std::string& tenant, const std::string& key) -> std::string {
    const auto record = store_->FindByContentKey(tenant, key);
    EXPECT_TRUE(record.ok()) << record.status();
    return record->has_value() ? JobId((*record)->job) : "none";
  };
  insert("a", false);
  EXPECT_EQ(found("a", "key"), "none");
  insert("a", true);
  const std::string newest = insert("a", true);
  insert("b", true);
  insert("a", false);
  EXPECT_EQ(found("a", "key"), newest);
  EXPECT_EQ(found("a", "another"), newest);
  EXPECT_EQ(found("a", "unknown"), "none");
  EXPECT_EQ(found("c", "key"), "none");
}

TEST_P(JobStoreConformance, FindsJobsThatEndedLongAgo) {
  const auto insert = [this](v1::JobState state, int64_t end_seconds) {
    JobChange change = NewJob();
    change.record.job.set_state(state);
    change.record.job.mutable_end_time()->set_seconds(end_seconds);
    return Insert(change);
  };
  const std::string late = insert(v1::JOB_STATE_SUCCEEDED, 20);
  const std::string early = insert(v1::JOB_STATE_SUCCEEDED, 10);
  insert(v1::JOB_STATE_FAILED, 5);
  Insert(NewJob());
  const auto ended = [this](int64_t seconds, int limit) {
    return *store_->EndedBefore(v1::JOB_STATE_SUCCEEDED, absl::FromUnixSeconds(seconds), limit);
  };
  EXPECT_THAT(ended(10, 10), testing::IsEmpty());
  EXPECT_THAT(ended(11, 10), testing::ElementsAre(early));
  EXPECT_THAT(ended(100, 10), testing::ElementsAre(early, late));
  EXPECT_THAT(ended(100, 1), testing::ElementsAre(early));
  EXPECT_THAT(*store_->EndedBefore(v1::JOB_STATE_SUCCEEDED, absl::InfinitePast(), 10),
              testing::IsEmpty());
}

TEST_P(JobStoreConformance, FindsLeasesByHolderAndByExpiry) {
  const std::string id = Insert(NewJob());
  EXPECT_FALSE(store_->FindLease("worker", "instance")->has_value());
  ASSERT_TRUE(store_
                  ->LeaseNext(kCpu,
                              [](JobChange& change) {
                                change.checkpoint = "checkpoint";
                                return Lease(change, "worker", absl::FromUnixSeconds(50));
                              })
                  .ok());
  const auto held = store_->FindLease("worker", "instance");
  ASSERT_TRUE(held.ok() && held->has_value());
  EXPECT_EQ(JobId((*held)->record.job), id);
  EXPECT_EQ((*held)->checkpoint, "checkpoint");
  EXPECT_FALSE(store_->FindLease("worker", "other instance")->has_value());
  EXPECT_FALSE(store_->FindLease("other worker", "instance")->has_value());

  EXPECT_THAT(*store_->ExpiredLeases(absl::FromUnixSeconds(49), 10), testing::IsEmpty());
  EXPECT_THAT(*store_->ExpiredLeases(absl::FromUnixSeconds(50), 10), testing::ElementsAre(id));
  EXPECT_THAT(*store_->ExpiredLeases(absl::FromUnixSeconds(50), 0), testing::IsEmpty());
}

TEST_P(JobStoreConformance, CheckpointIsReplacedHandedOnAndDeleted) {
  const std::string id = Insert(NewJob());
  const auto write = [&](const std::string& checkpoint) {
    ASSERT_TRUE(store_
                    ->Update(id,
                             [&](JobChange& change) {
                               change.checkpoint = checkpoint;
                               return absl::OkStatus();
                             })
                    .ok());
  };
  const auto lease = [&] {
    const auto leased = store_->LeaseNext(kCpu, [](JobChange&) { return absl::OkStatus(); });
    return (*leased)->checkpoint;
  };
  EXPECT_EQ(lease(), "");
  write(std::string("one\0two", 7));
  write(std::string("three\0four", 10));
  EXPECT_EQ(lease(), std::string("three\0four", 10));
  write("");
  EXPECT_EQ(lease(), "");
}

TEST_P(JobStoreConformance, LogIsReadFromAnyOffset) {
  const std::string id = Insert(NewJob());
  std::string whole;
  for (const char* piece : {"alpha\n", "beta\n", "gamma gamma\n", "d\n"}) {
    ASSERT_TRUE(store_
                    ->Update(id,
                             [&](JobChange& change) {
                               change.log = piece;
                               return absl::OkStatus();
                             })
                    .ok());
    whole += piece;
  }
  for (int64_t offset = 0; offset <= static_cast<int64_t>(whole.size()) + 3; ++offset) {
    for (int64_t max_bytes : {1, 4, 7, 100}) {
      const absl::StatusOr<LogChunk> chunk = store_->ReadLog(id, offset, max_bytes);
      ASSERT_TRUE(chunk.ok());
      const size_t start = std::min<size_t>(offset, whole.size());
      EXPECT_EQ(chunk->data, whole.substr(start, max_bytes)) << offset << " " << max_bytes;
      EXPECT_EQ(chunk->log_size_bytes, static_cast<int64_t>(whole.size()));
      EXPECT_FALSE(chunk->job_ended);
    }
  }
}

TEST_P(JobStoreConformance, KeepsBytesOfEveryValue) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  JobChange job = NewJob("r\u00e9quest '\"\\ \xe2\x82\xac");
  job.log = bytes;
  job.checkpoint = bytes;
  job.best_scales = bytes + bytes;
  const std::string id = Insert(job);
  store_.reset();
  store_ = GetParam()(folder_.path());
  EXPECT_EQ(store_->ReadLog(id, 0, 1000)->data, bytes);
  EXPECT_EQ(*store_->GetBestScales(id), bytes + bytes);
  EXPECT_EQ(store_->Get(id)->request_id, job.record.request_id);
  const auto leased = store_->LeaseNext(kCpu, [](JobChange&) { return absl::OkStatus(); });
  ASSERT_TRUE(leased.ok() && leased->has_value());
  EXPECT_EQ((*leased)->checkpoint, bytes);
}

TEST_P(JobStoreConformance, AnErrorInALeaseLeavesTheJobToOthers) {
  const std::string id = Insert(NewJob());
  const absl::Status refused = store_
                                   ->LeaseNext(kCpu,
                                               [](JobChange& change) {
                                                 change.log = "lost\n";
                                                 change.record.job.set_state(v1::JOB_STATE_RUNNING);
                                                 return absl::AbortedError("no");
                                               })
                                   .status();
  EXPECT_TRUE(absl::IsAborted(refused)) << refused;
  EXPECT_EQ(store_->ReadLog(id, 0, 100)->log_size_bytes, 0);
  EXPECT_EQ(LeasedId(kCpu), id);
}

TEST_P(JobStoreConformance, StatsCountStatesAndFindTheOldest) {
  EXPECT_EQ(store_->Stats()->oldest_queue_time, absl::InfiniteFuture());
  JobChange early = NewJob();
  early.record.queue_time = absl::FromUnixSeconds(10);
  Insert(NewJob());
  Insert(early);
  JobChange ended = NewJob();
  ended.record.job.set_state(v1::JOB_STATE_FAILED);
  ended.record.queue_time = absl::FromUnixSeconds(1);
  Insert(ended);
  const absl::StatusOr<JobStats> stats = store_->Stats();
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->count_by_state.at(v1::JOB_STATE_QUEUED), 2);
  EXPECT_THAT(stats->queued_by_device_kinds,
              testing::ElementsAre(testing::Pair(DeviceKindBits(v1::DEVICE_KIND_UNSPECIFIED), 2)));
  EXPECT_EQ(stats->count_by_state.at(v1::JOB_STATE_FAILED), 1);
  EXPECT_EQ(stats->oldest_queue_time, absl::FromUnixSeconds(10));
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_JOB_STORE_CONFORMANCE_H_
