#include "server/coordinator.h"

#include <google/protobuf/util/message_differencer.h>

#include "server/names.h"
#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

using CoordinatorTest = CoordinatorFixture;

TEST_F(CoordinatorTest, AcceptedJobIsQueuedAndSaysWhyItWaits) {
  const v1::Job job = Submit();
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.sequence(), 1);
  EXPECT_EQ(job.waiting_reason(), "no worker is connected");
  EXPECT_EQ(job.spec().max_attempts(), 3);
  EXPECT_TRUE(job.has_create_time());
  EXPECT_FALSE(job.has_start_time());
  EXPECT_EQ(events_.queued_count(), 1);
  EXPECT_EQ(Get(job.name()).name(), job.name());
}

TEST_F(CoordinatorTest, WaitingReasonFollowsTheFleet) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_device_kind(v1::DEVICE_KIND_CUDA);
  const v1::Job job = Submit(spec);
  Register("worker-1");
  EXPECT_EQ(Get(job.name()).waiting_reason(), "no connected worker has device kind CUDA");
  Register("worker-2", "instance-1", v1::DEVICE_KIND_CUDA);
  EXPECT_EQ(Get(job.name()).waiting_reason(), "a worker will take it next");
  Submit(spec);
  const std::string leased = Lease("worker-2").job();
  EXPECT_EQ(Get(leased).waiting_reason(), "");
  const v1::Job waiting = coordinator_->ListJobs(v1::ListJobsRequest())->jobs(0);
  EXPECT_EQ(waiting.waiting_reason(), "the only connected worker of device kind CUDA is busy");
  Advance(kLease + absl::Seconds(1));
  EXPECT_EQ(Get(waiting.name()).waiting_reason(), "no worker is connected");
}

TEST_F(CoordinatorTest, RequestIdMakesSubmitIdempotent) {
  const v1::Job first = Submit(MinimalSpec(), "request");
  v1::JobSpec with_defaults = MinimalSpec();
  with_defaults.set_max_attempts(3);
  EXPECT_EQ(Submit(with_defaults, "request").name(), first.name());
  EXPECT_EQ(events_.queued_count(), 1);

  v1::SubmitJobRequest other;
  *other.mutable_spec() = MinimalSpec();
  other.mutable_spec()->set_seed(7);
  other.set_request_id("request");
  const absl::Status status = coordinator_->SubmitJob(other).status();
  EXPECT_TRUE(absl::IsAlreadyExists(status)) << status;
  EXPECT_EQ(ReasonOf(status), "REQUEST_ID_REUSED");
}

TEST_F(CoordinatorTest, SubmittedJobsSurviveTheCoordinator) {
  const std::string name = Submit().name();
  Start();
  EXPECT_EQ(Get(name).state(), v1::JOB_STATE_QUEUED);
  Register("worker-1");
  EXPECT_EQ(Lease("worker-1").job(), name);
}

TEST_F(CoordinatorTest, ValidateOnlyMakesNoJob) {
  v1::SubmitJobRequest request;
  *request.mutable_spec() = MinimalSpec();
  request.set_validate_only(true);
  const auto response = coordinator_->SubmitJob(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->has_plan());
  EXPECT_EQ(response->job().name(), "");
  EXPECT_EQ(response->job().spec().max_attempts(), 3);
  EXPECT_EQ(coordinator_->ListJobs(v1::ListJobsRequest())->jobs_size(), 0);
}

TEST_F(CoordinatorTest, PagesThroughJobs) {
  std::vector<std::string> submitted;
  for (int i = 0; i < 7; ++i) submitted.push_back(Submit().name());
  v1::ListJobsRequest request;
  request.set_page_size(3);
  std::vector<std::string> listed;
  int pages = 0;
  do {
    const auto page = coordinator_->ListJobs(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const v1::Job& job : page->jobs()) listed.push_back(job.name());
    request.set_page_token(page->next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_EQ(pages, 3);
  EXPECT_THAT(listed, testing::ElementsAreArray(submitted.rbegin(), submitted.rend()));
}

TEST_F(CoordinatorTest, PageStaysUnderWhatClientsTake) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_model()->set_uri("file:/" + std::string(4000, 'm'));
  spec.mutable_training_text()->set_uri("file:/" + std::string(4000, 't'));
  spec.mutable_evaluation_text()->set_uri("file:/" + std::string(4000, 'e'));
  for (int i = 0; i < 250; ++i) Submit(spec);  // 3 MB of them
  v1::ListJobsRequest request;
  request.set_page_size(1000);
  const auto page = coordinator_->ListJobs(request);
  ASSERT_TRUE(page.ok());
  EXPECT_LT(page->ByteSizeLong(), 4u << 20);
  EXPECT_GT(page->jobs_size(), 100);
  request.set_page_token(page->next_page_token());
  EXPECT_EQ(page->jobs_size() + coordinator_->ListJobs(request)->jobs_size(), 250);
}

TEST_F(CoordinatorTest, CancelInEveryState) {
  // QUEUED: at once.
  const v1::Job queued = Submit();
  EXPECT_EQ(coordinator_->CancelJob(queued.name())->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(Get(queued.name()).has_end_time());
  // CANCELLED: as it is.
  const int64_t sequence = Get(queued.name()).sequence();
  EXPECT_EQ(coordinator_->CancelJob(queued.name())->sequence(), sequence);
  // RUNNING: the worker has to confirm.
  const dispatch::v1::Task task = SubmitAndLease();
  EXPECT_EQ(coordinator_->CancelJob(task.job())->state(), v1::JOB_STATE_CANCELLING);
  // CANCELLING: as it is.
  EXPECT_EQ(coordinator_->CancelJob(task.job())->state(), v1::JOB_STATE_CANCELLING);
  dispatch::v1::CompleteTaskRequest confirmed = OutcomeOf(task);
  confirmed.mutable_cancelled();
  ASSERT_TRUE(leases_->CompleteTask(confirmed).ok());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLED);
  // SUCCEEDED and FAILED: too late.
  const dispatch::v1::Task done = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(done, "a")).ok());
  EXPECT_EQ(ReasonOf(coordinator_->CancelJob(done.job()).status()), "JOB_ENDED");
  const dispatch::v1::Task failed = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(failed, v1::JOB_FAILURE_REASON_DIVERGED)).ok());
  EXPECT_EQ(ReasonOf(coordinator_->CancelJob(failed.job()).status()), "JOB_ENDED");
}

TEST_F(CoordinatorTest, DeletesEndedJobsWithTheBlobsThatNothingElseUses) {
  const dispatch::v1::Task first = SubmitAndLease();
  EXPECT_EQ(ReasonOf(coordinator_->DeleteJob(first.job())), "JOB_NOT_ENDED");
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "same")).ok());
  const dispatch::v1::Task second = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(second, "same")).ok());
  EXPECT_EQ(blobs_->List()->size(), 4);

  ASSERT_TRUE(coordinator_->DeleteJob(first.job()).ok());
  EXPECT_EQ(ReasonOf(coordinator_->GetJob(first.job()).status()), "JOB_NOT_FOUND");
  EXPECT_EQ(ReasonOf(coordinator_->DeleteJob(first.job())), "JOB_NOT_FOUND");
  EXPECT_EQ(blobs_->List()->size(), 4);
  ASSERT_TRUE(coordinator_->DeleteJob(second.job()).ok());
  EXPECT_EQ(blobs_->List()->size(), 0);
}

TEST_F(CoordinatorTest, OrphanedBlobsGoAtTheStart) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "kept")).ok());
  ASSERT_TRUE(blobs_->Put("left by a crash between blob and artifact").ok());
  Start();
  EXPECT_EQ(blobs_->List()->size(), 4);
}

TEST_F(CoordinatorTest, ArtifactIsFoundByItsNameAndByItsJob) {
  const dispatch::v1::Task task = SubmitAndLease();
  EXPECT_EQ(ReasonOf(coordinator_->GetArtifact(task.job()).status()), "JOB_NOT_SUCCEEDED");
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  const v1::Job job = Get(task.job());
  const auto by_job = coordinator_->GetArtifact(job.name());
  const auto by_name = coordinator_->GetArtifact(job.artifact());
  ASSERT_TRUE(by_job.ok() && by_name.ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(*by_job, *by_name));
  EXPECT_EQ(by_job->job(), job.name());
  ASSERT_EQ(by_job->blobs_size(), 4);
  for (const v1::Blob& blob : by_job->blobs()) {
    const auto reader = coordinator_->OpenBlob(blob.sha256());
    ASSERT_TRUE(reader.ok()) << reader.status();
    EXPECT_EQ((*reader)->size_bytes(), blob.size_bytes());
    EXPECT_EQ(*(*reader)->Read(0, 1000), blob.file_name() + " of a");
  }
}

}  // namespace
}  // namespace sasq
