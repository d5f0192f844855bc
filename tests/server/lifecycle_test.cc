// How, when and how often jobs are run: pauses, timeouts, selectors, limits, cancels that nobody
// confirms, retention, and results that are used again.
#include <functional>

#include "absl/strings/match.h"
#include "server/attempt.h"
#include "server/timestamps.h"
#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

class LifecycleTest : public CoordinatorFixture {
 protected:
  dispatch::v1::HeartbeatResponse BeatWithKey(const dispatch::v1::Task& task,
                                              const std::string& key) {
    dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
    beat.set_content_key(key);
    const auto response = leases_->Heartbeat(beat);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.value_or(dispatch::v1::HeartbeatResponse());
  }

  const std::string key_ = std::string(64, 'a');
};

TEST(RetryPauseTest, DoublesUpToTheLongest) {
  v1::RetryPolicy policy;
  policy.mutable_initial_backoff()->set_seconds(2);
  policy.mutable_max_backoff()->set_seconds(9);
  EXPECT_EQ(RetryPause(policy, 1), absl::Seconds(2));
  EXPECT_EQ(RetryPause(policy, 2), absl::Seconds(4));
  EXPECT_EQ(RetryPause(policy, 3), absl::Seconds(8));
  EXPECT_EQ(RetryPause(policy, 4), absl::Seconds(9));
  EXPECT_EQ(RetryPause(policy, 1'000'000), absl::Seconds(9));
  EXPECT_EQ(RetryPause(v1::RetryPolicy(), 3), absl::ZeroDuration());
}

TEST_F(LifecycleTest, FailedAttemptIsFollowedByAPause) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_retry()->mutable_initial_backoff()->set_seconds(10);
  const dispatch::v1::Task task = SubmitAndLease(spec);
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(task, v1::JOB_FAILURE_REASON_INTERNAL)).ok());
  const v1::Job job = Get(task.job());
  EXPECT_EQ(ToTime(job.ready_time()), clock_.Now() + absl::Seconds(10));
  EXPECT_EQ(job.waiting_reason(), "it pauses after an attempt that failed");
  EXPECT_THAT(Log(task.job()), testing::HasSubstr("the job is queued after a pause of 10s"));
  Advance(absl::Seconds(9));
  EXPECT_FALSE(HasTaskFor("worker-1"));
  const int woken = events_.queued_count();
  Advance(absl::Seconds(1));
  EXPECT_GT(events_.queued_count(), woken) << "workers that wait are told";
  EXPECT_EQ(Lease("worker-1").attempt(), 2);
  EXPECT_FALSE(Get(task.job()).has_ready_time());
}

TEST_F(LifecycleTest, TaskThatWasGivenBackWaitsForNothing) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_retry()->mutable_initial_backoff()->set_seconds(10);
  const dispatch::v1::Task task = SubmitAndLease(spec);
  dispatch::v1::CompleteTaskRequest back = OutcomeOf(task);
  back.mutable_handed_back();
  ASSERT_TRUE(leases_->CompleteTask(back).ok());
  EXPECT_FALSE(Get(task.job()).has_ready_time());
}

TEST_F(LifecycleTest, AttemptThatTakesTooLongIsGivenUp) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_max_attempts(2);
  spec.mutable_attempt_timeout()->set_seconds(70);
  const dispatch::v1::Task task = SubmitAndLease(spec);
  for (int i = 0; i < 3; ++i) {
    Advance(absl::Seconds(20));
    ASSERT_TRUE(Beat(task).ok());
  }
  Advance(absl::Seconds(9));
  ASSERT_TRUE(Beat(task).ok());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_RUNNING);
  Advance(absl::Seconds(1));
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_QUEUED);
  EXPECT_THAT(Log(task.job()), testing::HasSubstr("took longer than attempt_timeout"));
  ExpectLeaseLost(Beat(task).status());

  const dispatch::v1::Task second = Lease("worker-1");
  for (int i = 0; i < 4; ++i) {
    Advance(absl::Seconds(20));
    if (i < 3) {
      ASSERT_TRUE(Beat(second).ok());
    }
  }
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.error().reason(), v1::JOB_FAILURE_REASON_WORKER_LOST);
  EXPECT_THAT(job.error().message(), testing::HasSubstr("took longer than attempt_timeout"));
}

TEST_F(LifecycleTest, OutOfMemoryIsTriedAgainOnAnotherKindOnly) {
  const dispatch::v1::Task alone = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(alone, v1::JOB_FAILURE_REASON_OUT_OF_MEMORY)).ok());
  EXPECT_EQ(Get(alone.job()).state(), v1::JOB_STATE_FAILED) << "no other kind is connected";
  EXPECT_EQ(Get(alone.job()).error().reason(), v1::JOB_FAILURE_REASON_OUT_OF_MEMORY);

  Register("cuda-1", "instance-1", v1::DEVICE_KIND_CUDA);
  const dispatch::v1::Task first = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(first, v1::JOB_FAILURE_REASON_OUT_OF_MEMORY)).ok());
  EXPECT_EQ(Get(first.job()).state(), v1::JOB_STATE_QUEUED);
  EXPECT_FALSE(HasTaskFor("worker-1"));
  const dispatch::v1::Task second = Lease("cuda-1");
  EXPECT_EQ(second.job(), first.job());
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(second, v1::JOB_FAILURE_REASON_OUT_OF_MEMORY)).ok());
  EXPECT_EQ(Get(first.job()).state(), v1::JOB_STATE_FAILED);
}

TEST_F(LifecycleTest, WorkerWithTooLittleMemoryGetsNoTask) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_min_worker_memory_bytes((int64_t{8} << 30) + 1);
  const v1::Job job = Submit(spec);
  Register("worker-1");
  EXPECT_FALSE(HasTaskFor("worker-1"));
  EXPECT_EQ(Get(job.name()).waiting_reason(), "no connected worker has 8589934593 bytes of memory");
}

TEST_F(LifecycleTest, UrgentJobGoesFirst) {
  Submit();
  v1::JobSpec spec = MinimalSpec();
  spec.set_priority(501);
  const v1::Job urgent = Submit(spec);
  Register("worker-1");
  EXPECT_EQ(Lease("worker-1").job(), urgent.name());
}

TEST_F(LifecycleTest, CancelEndsWithinTwoHeartbeatsWhenTheWorkerIsGone) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(coordinator_->CancelJob(task.job()).ok());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLING);
  ASSERT_TRUE(Beat(task).ok());  // makes the lease no longer
  Advance(CoordinatorLimits().cancel_grace);
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLED);
  ExpectLeaseLost(leases_->CompleteTask(SuccessOf(task, "late")));
  EXPECT_EQ(blobs_->List()->size(), 0);
}

TEST_F(LifecycleTest, CancelEndsSoonAlsoAfterARestart) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(coordinator_->CancelJob(task.job()).ok());
  Start();
  Advance(CoordinatorLimits().cancel_grace);
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(LifecycleTest, ExpiredJobsAreDeletedWithTheirBlobs) {
  limits_.keep_succeeded = absl::Hours(2);
  limits_.keep_failed = absl::Hours(1);
  Start();
  const dispatch::v1::Task good = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(good, "good")).ok());
  const dispatch::v1::Task bad = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(bad, v1::JOB_FAILURE_REASON_DIVERGED)).ok());
  const v1::Job queued = Submit();
  const auto is_there = [&](const std::string& name) { return coordinator_->GetJob(name).ok(); };
  const auto expire = [&](absl::Duration duration) {
    clock_.Advance(duration);
    EXPECT_TRUE(coordinator_->DeleteExpiredJobs(clock_.Now(), 10).ok());
  };
  expire(absl::Minutes(61));
  EXPECT_FALSE(is_there(bad.job()));
  EXPECT_TRUE(is_there(good.job()));
  EXPECT_EQ(blobs_->List()->size(), 4);
  expire(absl::Minutes(60));
  EXPECT_FALSE(is_there(good.job()));
  EXPECT_TRUE(is_there(queued.name()));
  EXPECT_EQ(blobs_->List()->size(), 0);
}

TEST_F(LifecycleTest, ScalesOfARunningJobCanBeRead) {
  const dispatch::v1::Task task = SubmitAndLease();
  EXPECT_EQ(ReasonOf(coordinator_->GetBestScales(task.job()).status()), "NO_SCALES");
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.set_best_scales("pack");
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  ASSERT_TRUE(Beat(task).ok());
  EXPECT_EQ(*coordinator_->GetBestScales(task.job()), "pack");
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  EXPECT_EQ(ReasonOf(coordinator_->GetBestScales(task.job()).status()), "NO_SCALES");
}

TEST_F(LifecycleTest, SameJobTakesTheResultOfTheFirst) {
  const dispatch::v1::Task first = SubmitAndLease();
  EXPECT_EQ(BeatWithKey(first, key_).directive(), dispatch::v1::DIRECTIVE_CONTINUE);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());

  const dispatch::v1::Task second = SubmitAndLease();
  EXPECT_EQ(BeatWithKey(second, key_).directive(), dispatch::v1::DIRECTIVE_DROP);
  const v1::Job job = Get(second.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.reused_from(), first.job());
  EXPECT_EQ(job.rows_size(), 1);
  EXPECT_EQ(coordinator_->GetArtifact(second.job())->blobs(0).sha256(),
            coordinator_->GetArtifact(first.job())->blobs(0).sha256());
  ExpectLeaseLost(Beat(second).status());
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_IDLE);

  ASSERT_TRUE(coordinator_->DeleteJob(first.job()).ok());
  EXPECT_EQ(blobs_->List()->size(), 4) << "the second job still has them";
  const dispatch::v1::Task third = SubmitAndLease();
  BeatWithKey(third, key_);
  EXPECT_EQ(Get(third.job()).reused_from(), first.job()) << "where it was computed";
}

TEST_F(LifecycleTest, NoCacheAndOtherKeysCompute) {
  const dispatch::v1::Task first = SubmitAndLease();
  BeatWithKey(first, key_);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());
  v1::JobSpec spec = MinimalSpec();
  spec.set_no_cache(true);
  const dispatch::v1::Task again = SubmitAndLease(spec);
  EXPECT_EQ(BeatWithKey(again, key_).directive(), dispatch::v1::DIRECTIVE_CONTINUE);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(again, "a")).ok());
  EXPECT_EQ(BeatWithKey(SubmitAndLease(), std::string(64, 'b')).directive(),
            dispatch::v1::DIRECTIVE_CONTINUE);
}

TEST_F(LifecycleTest, GatesJudgeAReusedResultAnew) {
  const dispatch::v1::Task first = SubmitAndLease();
  BeatWithKey(first, key_);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_gates()->set_max_perplexity(2);
  const dispatch::v1::Task second = SubmitAndLease(spec);
  BeatWithKey(second, key_);
  const v1::Job job = Get(second.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().reason(), v1::JOB_FAILURE_REASON_QUALITY_GATE);
  EXPECT_TRUE(coordinator_->GetArtifact(second.job())->rejected());
}

TEST_F(LifecycleTest, SpecOfUploadsFindsItsResultWhenItIsSubmitted) {
  v1::JobSpec spec = MinimalSpec();
  const std::string digest = *blobs_->Put("bytes");
  const auto set_file = [&digest](v1::UploadedFile* file, const std::string& path) {
    file->set_path(path);
    file->set_sha256(digest);
    file->set_size_bytes(5);
  };
  spec.mutable_model()->set_uri("upload:model");
  set_file(spec.mutable_model()->add_files(), "model.safetensors");
  spec.mutable_training_text()->set_uri("upload:a");
  set_file(spec.mutable_training_text()->mutable_file(), "a.txt");
  spec.mutable_evaluation_text()->set_uri("upload:b");
  set_file(spec.mutable_evaluation_text()->mutable_file(), "b.txt");

  const dispatch::v1::Task first = SubmitAndLease(spec);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());
  spec.mutable_model()->set_uri("upload:another-name");
  const v1::Job second = Submit(spec);
  EXPECT_EQ(second.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(second.reused_from(), first.job());
  EXPECT_EQ(second.attempt_count(), 0);
  spec.set_no_cache(true);
  EXPECT_EQ(Submit(spec).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(LifecycleTest, TenantWithAFullQueueIsRefused) {
  limits_.max_queued_per_tenant = 1;
  Start();
  Submit();
  v1::SubmitJobRequest request;
  *request.mutable_spec() = MinimalSpec();
  const absl::Status status = coordinator_->SubmitJob(request).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_EQ(ReasonOf(status), "TENANT_QUEUE_FULL");
  EXPECT_TRUE(status.GetPayload("type.googleapis.com/google.rpc.QuotaFailure").has_value());
}

}  // namespace
}  // namespace sasq
