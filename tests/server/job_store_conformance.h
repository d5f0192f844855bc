// What every JobStore must do, as tests over a factory. A test file includes this and instantiates
// JobStoreConformance with the factory of its store.
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

namespace sasq {

// Makes a store on `folder`; a second call on the same folder sees what the first one kept.
using JobStoreFactory = std::function<std::unique_ptr<JobStore>(const std::string& folder)>;

class JobStoreConformance : public testing::TestWithParam<JobStoreFactory> {
 protected:
  JobStoreConformance() : store_(GetParam()(folder_.path())) {}

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
    job.set_state(v1::JOB_STATE_QUEUED);
    job.set_sequence(1);
    return change;
  }

  std::string Insert(const JobChange& change) {
    const absl::StatusOr<JobRecord> record = store_->Insert(change);
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

  TempFolder folder_;
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
  EXPECT_EQ(record->completed_token, "done");
  EXPECT_EQ(record->job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(record->job.spec().model().uri(), "file:/nowhere/model");
  EXPECT_GT(record->position, 0);
}

TEST_P(JobStoreConformance, SameRequestIdAndSpecGivesTheFirstJob) {
  const JobChange first = NewJob("request", "same");
  const std::string id = Insert(first);
  EXPECT_EQ(Insert(NewJob("request", "same")), id);
  const absl::Status reused = store_->Insert(NewJob("request", "other")).status();
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
                  ->LeaseNext(v1::DEVICE_KIND_CPU,
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
  const std::vector<JobRecord> queued = *store_->List({v1::JOB_STATE_QUEUED}, 0, 2);
  EXPECT_THAT(names(queued), testing::ElementsAre(ids[4], ids[3]));
  EXPECT_THAT(names(*store_->List({v1::JOB_STATE_QUEUED}, queued.back().position, 10)),
              testing::ElementsAre(ids[2], ids[1]));
  EXPECT_THAT(names(*store_->List({v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED}, 0, 10)),
              testing::ElementsAre(ids[0]));
}

TEST_P(JobStoreConformance, LeasesTheOldestJobForTheDevice) {
  const std::string cuda = Insert(NewJob("", "f", v1::DEVICE_KIND_CUDA));
  const std::string any = Insert(NewJob());
  const std::string cpu = Insert(NewJob("", "f", v1::DEVICE_KIND_CPU));
  const auto lease = [this](v1::DeviceKind kind) -> std::string {
    const auto leased = store_->LeaseNext(
        kind, [](JobChange& change) { return Lease(change, "worker", absl::FromUnixSeconds(5)); });
    EXPECT_TRUE(leased.ok()) << leased.status();
    return leased->has_value() ? JobId((*leased)->record.job) : "none";
  };
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), any);
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), cpu);
  EXPECT_EQ(lease(v1::DEVICE_KIND_CPU), "none");
  EXPECT_EQ(lease(v1::DEVICE_KIND_CUDA), cuda);
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
        const auto leased = store_->LeaseNext(v1::DEVICE_KIND_CPU, [](JobChange& change) {
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

TEST_P(JobStoreConformance, FindsLeasesByHolderAndByExpiry) {
  const std::string id = Insert(NewJob());
  EXPECT_FALSE(store_->FindLease("worker", "instance")->has_value());
  ASSERT_TRUE(store_
                  ->LeaseNext(v1::DEVICE_KIND_CPU,
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
    const auto leased =
        store_->LeaseNext(v1::DEVICE_KIND_CPU, [](JobChange&) { return absl::OkStatus(); });
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

TEST_P(JobStoreConformance, ArtifactIsPublishedWithItsStateAndDeletedWithItsJob) {
  const std::string shared = Sha256Hex("shared");
  const std::string own = Sha256Hex("own");
  const auto publish = [&](const std::vector<std::string>& digests) {
    const std::string id = Insert(NewJob());
    EXPECT_TRUE(store_
                    ->Update(id,
                             [&](JobChange& change) {
                               change.record.job.set_state(v1::JOB_STATE_SUCCEEDED);
                               v1::Artifact& artifact = change.artifact.emplace();
                               artifact.set_name(ArtifactName(id));
                               for (const std::string& digest : digests) {
                                 artifact.add_blobs()->set_sha256(digest);
                               }
                               return absl::OkStatus();
                             })
                    .ok());
    return id;
  };
  const std::string first = publish({shared, own, own});
  const std::string second = publish({shared});
  EXPECT_EQ(store_->GetArtifact(first)->blobs_size(), 3);
  EXPECT_TRUE(*store_->IsBlobReferenced(own));

  const auto agree = [](const JobRecord&) { return absl::OkStatus(); };
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store_->Delete(first, [](const JobRecord&) { return absl::FailedPreconditionError("no"); })
          .status()));
  EXPECT_TRUE(store_->Get(first).ok());
  EXPECT_THAT(*store_->Delete(first, agree), testing::ElementsAre(own));
  EXPECT_TRUE(absl::IsNotFound(store_->Get(first).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->GetArtifact(first).status()));
  EXPECT_FALSE(*store_->IsBlobReferenced(own));
  EXPECT_TRUE(*store_->IsBlobReferenced(shared));
  EXPECT_THAT(*store_->Delete(second, agree), testing::ElementsAre(shared));
}

TEST_P(JobStoreConformance, SpecsAndUploadsReferToBlobs) {
  const std::string model = Sha256Hex("model");
  const std::string text = Sha256Hex("text");
  const auto insert = [&](const std::vector<std::string>& digests) {
    JobChange added = NewJob();
    v1::JobSpec& spec = *added.record.job.mutable_spec();
    for (const std::string& digest : digests) {
      spec.mutable_model()->add_files()->set_sha256(digest);
    }
    spec.mutable_training_text()->mutable_file()->set_sha256(text);
    return Insert(added);
  };
  const std::string first = insert({model});
  const std::string second = insert({});
  EXPECT_TRUE(*store_->IsBlobReferenced(model));
  EXPECT_TRUE(*store_->IsBlobReferenced(text));
  const auto agree = [](const JobRecord&) { return absl::OkStatus(); };
  EXPECT_THAT(*store_->Delete(first, agree), testing::ElementsAre(model));
  EXPECT_TRUE(*store_->IsBlobReferenced(text));

  ASSERT_TRUE(store_->NoteUploads({text, model}, absl::FromUnixSeconds(100)).ok());
  EXPECT_THAT(*store_->Delete(second, agree), testing::IsEmpty());
  EXPECT_TRUE(*store_->IsBlobReferenced(model));
  ASSERT_TRUE(store_->NoteUploads({model}, absl::FromUnixSeconds(200)).ok());
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(100)), testing::IsEmpty());
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(200)), testing::ElementsAre(text));
  EXPECT_FALSE(*store_->IsBlobReferenced(text));
  EXPECT_THAT(*store_->ExpireUploads(absl::FromUnixSeconds(201)), testing::ElementsAre(model));
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
  EXPECT_EQ(stats->count_by_state.at(v1::JOB_STATE_FAILED), 1);
  EXPECT_EQ(stats->oldest_queue_time, absl::FromUnixSeconds(10));
}

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_JOB_STORE_CONFORMANCE_H_
