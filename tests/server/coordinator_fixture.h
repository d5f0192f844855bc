// A coordinator without gRPC, on real stores and a clock that stands still until told.
#ifndef SASQ_TESTS_SERVER_COORDINATOR_FIXTURE_H_
#define SASQ_TESTS_SERVER_COORDINATOR_FIXTURE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"
#include "common/mutex.h"
#include "common/rpc_status.h"
#include "server/coordinator.h"
#include "server/folder_blob_store.h"
#include "server/lease_manager.h"
#include "server/sqlite_job_store.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {

// Remembers what was told. Thread-safe.
class RecordedEvents final : public JobEvents {
 public:
  void OnJobChanged(std::shared_ptr<const v1::Job> job) override {
    MutexLock lock(&mutex_);
    changes_.push_back(*job);
  }
  void OnJobLogGrew(absl::string_view) override {}
  void OnJobDeleted(absl::string_view) override {}
  void OnJobQueued() override {
    MutexLock lock(&mutex_);
    ++queued_count_;
  }
  std::vector<v1::Job> changes() const {
    MutexLock lock(&mutex_);
    return changes_;
  }
  int queued_count() const {
    MutexLock lock(&mutex_);
    return queued_count_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<v1::Job> changes_ ABSL_GUARDED_BY(mutex_);
  int queued_count_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A coordinator as one caller meets it.
class CallersCoordinator {
 public:
  CallersCoordinator(Coordinator& coordinator, Principal who)
      : coordinator_(coordinator), who_(std::move(who)) {}

  auto SubmitJob(const v1::SubmitJobRequest& request) {
    return coordinator_.SubmitJob(who_, request);
  }
  auto GetJob(absl::string_view name) { return coordinator_.GetJob(who_, name); }
  auto ListJobs(const v1::ListJobsRequest& request) { return coordinator_.ListJobs(who_, request); }
  auto CancelJob(absl::string_view name) { return coordinator_.CancelJob(who_, name); }
  auto DeleteJob(absl::string_view name) { return coordinator_.DeleteJob(who_, name); }
  auto DeleteExpiredJobs(absl::Time now, int limit) {
    return coordinator_.DeleteExpiredJobs(now, limit);
  }
  auto ListWorkers() { return coordinator_.ListWorkers(who_); }
  auto ReadJobLog(absl::string_view name, int64_t offset, int64_t max_bytes) {
    return coordinator_.ReadJobLog(who_, name, offset, max_bytes);
  }
  auto GetArtifact(absl::string_view name) { return coordinator_.GetArtifact(who_, name); }
  auto GetBestScales(absl::string_view name) { return coordinator_.GetBestScales(who_, name); }
  auto OpenBlob(const std::string& sha256, const dispatch::v1::Task& task = {}) {
    v1::DownloadBlobRequest request;
    request.set_sha256(sha256);
    request.set_job(task.job());
    request.set_lease_token(task.lease_token());
    return coordinator_.OpenBlob(who_, request);
  }
  auto FindMissingBlobs(const v1::FindMissingBlobsRequest& request) {
    return coordinator_.FindMissingBlobs(who_, request);
  }
  auto BeginUpload(const v1::UploadStart& start) { return coordinator_.BeginUpload(who_, start); }
  auto FinishUpload(const v1::UploadStart& start, BlobUpload& upload) {
    return coordinator_.FinishUpload(who_, start, upload);
  }

 private:
  Coordinator& coordinator_;
  const Principal who_;
};

class CoordinatorFixture : public testing::Test {
 protected:
  static constexpr absl::Duration kLease = absl::Seconds(30);

  CoordinatorFixture() { Start(); }

  // Starts the coordinator on what the folder holds, as after a kill of the process.
  void Start() {
    leases_.reset();
    coordinator_.reset();
    whole_coordinator_.reset();
    keeper_.reset();
    workers_.reset();
    blobs_.reset();
    jobs_.reset();
    jobs_ = *SqliteJobStore::Create({.path = folder_.path() + "/jobs.sqlite"});
    blobs_ = *FolderBlobStore::Create(folder_.path() + "/blobs");
    workers_ = std::make_unique<WorkerRegistry>(kLease);
    keeper_ = std::make_unique<BlobKeeper>(*blobs_, *jobs_, metrics_);
    EXPECT_TRUE(keeper_->RemoveOrphans().ok());
    const CoordinatorParts parts = {clock_,  *jobs_,   *keeper_,       *workers_,
                                    events_, metrics_, AllowedRoots(), limits_};
    whole_coordinator_ = std::make_unique<Coordinator>(parts);
    coordinator_ = std::make_unique<CallersCoordinator>(*whole_coordinator_, Principal());
    leases_ =
        std::make_unique<LeaseManager>(parts, LeaseManager::Options{.lease_duration = kLease});
  }

  // Past the time in which a fresh coordinator lets no lease expire.
  void PassFirstLeases() { Advance(kLease); }

  void Advance(absl::Duration duration) {
    clock_.Advance(duration);
    EXPECT_TRUE(leases_->Tick(clock_.Now()).ok());
  }

  v1::Job Submit(const v1::JobSpec& spec = MinimalSpec(), const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    request.set_request_id(request_id);
    const auto response = coordinator_->SubmitJob(request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? response->job() : v1::Job();
  }

  v1::Job Get(const std::string& name) {
    const absl::StatusOr<v1::Job> job = coordinator_->GetJob(name);
    EXPECT_TRUE(job.ok()) << job.status();
    return job.ok() ? *job : v1::Job();
  }

  std::string Log(const std::string& name) {
    return coordinator_->ReadJobLog(name, 0, 1 << 20)->data;
  }

  void Register(const std::string& worker, const std::string& instance = "instance-1",
                v1::DeviceKind kind = v1::DEVICE_KIND_CPU) {
    const auto response = leases_->RegisterWorker(WorkerNamed(worker, instance, kind));
    EXPECT_TRUE(response.ok()) << response.status();
  }

  // The task that a registered worker gets; fails the test if there is none.
  dispatch::v1::Task Lease(const std::string& worker, const std::string& instance = "instance-1") {
    const auto task = leases_->LeaseNext(worker, instance);
    EXPECT_TRUE(task.ok()) << task.status();
    EXPECT_TRUE(task.ok() && task->has_value()) << "no job to lease";
    return task.ok() && task->has_value() ? **task : dispatch::v1::Task();
  }

  bool HasTaskFor(const std::string& worker) {
    const auto task = leases_->LeaseNext(worker, "instance-1");
    EXPECT_TRUE(task.ok()) << task.status();
    return task.ok() && task->has_value();
  }

  // A registered worker and the task that it holds.
  dispatch::v1::Task SubmitAndLease(const v1::JobSpec& spec = MinimalSpec(),
                                    const std::string& worker = "worker-1") {
    Submit(spec);
    Register(worker);
    return Lease(worker);
  }

  absl::StatusOr<dispatch::v1::HeartbeatResponse> Beat(const dispatch::v1::Task& task,
                                                       const std::string& worker = "worker-1") {
    return leases_->Heartbeat(HeartbeatOf(task, worker));
  }

  void ExpectLeaseLost(const absl::Status& status) {
    EXPECT_TRUE(absl::IsAborted(status)) << status;
    EXPECT_EQ(ReasonOf(status), "LEASE_LOST");
  }

  TemporaryFolder folder_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  MetricRegistry registry_;
  ServerMetrics metrics_{registry_};
  RecordedEvents events_;
  CoordinatorLimits limits_;  // of the next Start
  std::unique_ptr<SqliteJobStore> jobs_;
  std::unique_ptr<FolderBlobStore> blobs_;
  std::unique_ptr<WorkerRegistry> workers_;
  std::unique_ptr<BlobKeeper> keeper_;
  std::unique_ptr<Coordinator> whole_coordinator_;
  std::unique_ptr<CallersCoordinator> coordinator_;  // for whom everything is there
  std::unique_ptr<LeaseManager> leases_;
};

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_COORDINATOR_FIXTURE_H_
