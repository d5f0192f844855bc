// What the coordinator makes of a result whose job has quality gates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

class QualityGateTest : public CoordinatorFixture {
 protected:
  QualityGateTest() { PassFirstLeases(); }
};

// A job with a ceiling, and the outcome that holds the row it is about.
v1::JobSpec GatedSpec(double max_perplexity) {
  v1::JobSpec spec = MinimalSpec();
  spec.mutable_gates()->set_max_perplexity(max_perplexity);
  return spec;
}

TEST_F(QualityGateTest, AFailedGatePublishesARejectedArtifactInOneStep) {
  const dispatch::v1::Task task = SubmitAndLease(GatedSpec(17.25));
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED) << "it is not tried again";
  EXPECT_EQ(job.error().reason(), v1::JOB_FAILURE_REASON_QUALITY_GATE);
  EXPECT_EQ(job.error().message(), "quality gate failed: max-ppl is 17.500, bound 17.250");
  ASSERT_EQ(job.gate_results_size(), 1);
  EXPECT_FALSE(job.gate_results(0).passed());
  EXPECT_EQ(job.rows_size(), 1);
  EXPECT_EQ(job.artifact(), "artifacts/" + job.name().substr(5));
  for (const std::string& name : {job.name(), job.artifact()}) {
    const auto artifact = coordinator_->GetArtifact(name);
    ASSERT_TRUE(artifact.ok()) << artifact.status();
    EXPECT_TRUE(artifact->rejected());
    EXPECT_EQ(artifact->gate_results_size(), 1);
    EXPECT_EQ(artifact->blobs_size(), 4);
  }
  EXPECT_THAT(Log(task.job()), testing::HasSubstr("its artifact is rejected"));
  // The repeat of a completion whose answer was lost.
  EXPECT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  EXPECT_EQ(Get(task.job()).sequence(), job.sequence());
  EXPECT_EQ(ReasonOf(coordinator_->CancelJob(task.job()).status()), "JOB_ENDED");
  Start();
  EXPECT_TRUE(coordinator_->GetArtifact(job.name())->rejected()) << "after a restart too";
  ASSERT_TRUE(coordinator_->DeleteJob(task.job()).ok());
  EXPECT_EQ(blobs_->List()->size(), 0);
}

TEST_F(QualityGateTest, APassedGateIsToldWithTheArtifact) {
  const dispatch::v1::Task task = SubmitAndLease(GatedSpec(17.75));
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  ASSERT_EQ(job.gate_results_size(), 1);
  EXPECT_TRUE(job.gate_results(0).passed());
  EXPECT_FALSE(coordinator_->GetArtifact(job.name())->rejected());
}

TEST_F(QualityGateTest, AGateWithoutItsRowFails) {
  const dispatch::v1::Task task = SubmitAndLease(GatedSpec(1000));
  dispatch::v1::CompleteTaskRequest success = SuccessOf(task, "a");
  success.mutable_succeeded()->clear_rows();
  ASSERT_TRUE(leases_->CompleteTask(success).ok());
  EXPECT_EQ(Get(task.job()).error().reason(), v1::JOB_FAILURE_REASON_QUALITY_GATE);
  EXPECT_THAT(Get(task.job()).error().message(), testing::HasSubstr("could not be evaluated"));
}

TEST_F(QualityGateTest, AWorkerDoesNotDecideThatAGateFailed) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(FailureOf(task, v1::JOB_FAILURE_REASON_QUALITY_GATE)).ok());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_QUEUED) << "as after any fault of a worker";
}

TEST_F(QualityGateTest, CancelWinsOverAFailedGate) {
  const dispatch::v1::Task task = SubmitAndLease(GatedSpec(17.25));
  ASSERT_TRUE(coordinator_->CancelJob(task.job()).ok());
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_FALSE(Get(task.job()).has_error());
  EXPECT_EQ(Get(task.job()).artifact(), "");
  EXPECT_EQ(blobs_->List()->size(), 0);
}

TEST_F(QualityGateTest, ALostLeaseJudgesNothing) {
  const dispatch::v1::Task first = SubmitAndLease(GatedSpec(17.25));
  Advance(kLease + absl::Seconds(1));
  ExpectLeaseLost(leases_->CompleteTask(SuccessOf(first, "late")));
  EXPECT_EQ(Get(first.job()).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Get(first.job()).gate_results_size(), 0);
}

}  // namespace
}  // namespace sasq
