#include "server/lease_manager.h"

#include <limits>

#include "server/dispatch_validation.h"
#include "tests/server/coordinator_fixture.h"

namespace sasq {
namespace {

class LeaseManagerTest : public CoordinatorFixture {
 protected:
  LeaseManagerTest() { PassFirstLeases(); }
};

TEST_F(LeaseManagerTest, LeaseMakesTheJobRun) {
  const dispatch::v1::Task task = SubmitAndLease();
  EXPECT_EQ(task.attempt(), 1);
  EXPECT_EQ(task.lease_token().size(), 32);
  EXPECT_EQ(task.spec().max_attempts(), 3);
  EXPECT_EQ(task.checkpoint(), "");
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(job.worker(), "worker-1");
  EXPECT_EQ(job.attempt_count(), 1);
  EXPECT_TRUE(job.has_start_time());
  EXPECT_FALSE(HasTaskFor("worker-1"));
}

TEST_F(LeaseManagerTest, HeartbeatsReportAndKeepTheLease) {
  const dispatch::v1::Task task = SubmitAndLease();
  const int64_t sequence = Get(task.job()).sequence();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.mutable_progress()->set_stage(v1::STAGE_TRAIN);
  beat.mutable_progress()->set_fraction(0.25);
  *beat.add_rows() = Row(v1::METHOD_FP, 17.2);
  beat.set_log_data("step 1\n");
  for (int i = 0; i < 10; ++i) {
    Advance(kLease - absl::Seconds(1));
    const auto response = leases_->Heartbeat(beat);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->directive(), dispatch::v1::DIRECTIVE_CONTINUE);
    beat.clear_log_data();
  }
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(job.progress().stage(), v1::STAGE_TRAIN);
  ASSERT_EQ(job.rows_size(), 1);
  EXPECT_EQ(job.sequence(), sequence + 1) << "a heartbeat that says nothing new is no change";
  EXPECT_THAT(Log(task.job()), testing::HasSubstr("step 1\n"));
}

TEST_F(LeaseManagerTest, RowsAreReplacedByTheirName) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  *beat.add_rows() = Row(v1::METHOD_FP, 17.2);
  *beat.add_rows() = Row(v1::METHOD_STATIC_MSE, std::numeric_limits<double>::infinity());
  *beat.add_rows() = Row(v1::METHOD_STATIC_MSE, 19.5);
  beat.mutable_rows(2)->set_name("static_mse-a6");
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  beat.mutable_rows(0)->set_perplexity(17.3);
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  const v1::Job job = Get(task.job());
  ASSERT_EQ(job.rows_size(), 3);
  EXPECT_EQ(job.rows(0).perplexity(), 17.3);
  EXPECT_EQ(job.rows(2).name(), "static_mse-a6");
}

TEST_F(LeaseManagerTest, RowsNeedAName) {
  const dispatch::v1::Task task = SubmitAndLease();
  for (const std::string& name : {std::string(), std::string("Sasq"), std::string(49, 'x')}) {
    dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
    *beat.add_rows() = Row(v1::METHOD_FP, 17.2);
    beat.mutable_rows(0)->set_name(name);
    const absl::Status status = leases_->Heartbeat(beat).status();
    EXPECT_EQ(ReasonOf(status), "INVALID_REQUEST");
    ASSERT_EQ(FieldViolationsOf(status).size(), 1) << status;
    EXPECT_EQ(FieldViolationsOf(status)[0].field, "rows[0].name");
  }
  EXPECT_EQ(Get(task.job()).rows_size(), 0);
}

TEST_F(LeaseManagerTest, WhyARowFailedIsKeptAndBounded) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  *beat.add_rows() = Row(v1::METHOD_QUAROT, 0);
  beat.mutable_rows(0)->set_failure(std::string(kMaxFailureBytes + 1, 'x'));
  const absl::Status status = leases_->Heartbeat(beat).status();
  ASSERT_EQ(FieldViolationsOf(status).size(), 1) << status;
  EXPECT_EQ(FieldViolationsOf(status)[0].field, "rows[0].failure");
  beat.mutable_rows(0)->set_failure("no Hadamard matrix of 86 is known");
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  EXPECT_EQ(Get(task.job()).rows(0).failure(), "no Hadamard matrix of 86 is known");
}

TEST_F(LeaseManagerTest, MeasuredRowsStayWhenTheWorkerIsLost) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  *beat.add_rows() = Row(v1::METHOD_FP, 17.2);
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  Advance(kLease + absl::Seconds(1));
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.rows_size(), 1);
}

TEST_F(LeaseManagerTest, OnlyAComparisonHasNoScalePack) {
  const auto without_pack = [](const dispatch::v1::Task& task) {
    dispatch::v1::CompleteTaskRequest success = SuccessOf(task, "a");
    success.mutable_succeeded()->mutable_files()->DeleteSubrange(0, 1);
    return success;
  };
  const dispatch::v1::Task quantize = SubmitAndLease();
  const absl::Status refused = leases_->CompleteTask(without_pack(quantize));
  EXPECT_EQ(ReasonOf(refused), "INVALID_REQUEST");
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("scales.safetensors"));
  EXPECT_EQ(Get(quantize.job()).state(), v1::JOB_STATE_RUNNING);
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(quantize, "a")).ok());

  v1::JobSpec spec = MinimalSpec();
  spec.set_kind(v1::JOB_KIND_COMPARE);
  const dispatch::v1::Task compare = SubmitAndLease(spec);
  ASSERT_TRUE(leases_->CompleteTask(without_pack(compare)).ok());
  EXPECT_EQ(Get(compare.job()).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LeaseManagerTest, ProgressIsKeptInItsRange) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.mutable_progress()->set_fraction(std::numeric_limits<double>::quiet_NaN());
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  EXPECT_EQ(Get(task.job()).progress().fraction(), 0);
  beat.mutable_progress()->set_fraction(7);
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  EXPECT_EQ(Get(task.job()).progress().fraction(), 1);
}

TEST_F(LeaseManagerTest, ExpiredLeaseRequeuesUntilTheLastAttempt) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_max_attempts(2);
  const dispatch::v1::Task first = SubmitAndLease(spec);
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(first, "worker-1");
  beat.set_checkpoint("step 7");
  beat.mutable_progress()->set_stage(v1::STAGE_TRAIN);
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  Advance(kLease - absl::Nanoseconds(1));
  EXPECT_EQ(Get(first.job()).state(), v1::JOB_STATE_RUNNING);
  Advance(absl::Seconds(1));
  v1::Job job = Get(first.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.worker(), "");
  EXPECT_FALSE(job.has_progress());
  EXPECT_GE(events_.queued_count(), 2);

  Register("worker-2");
  const dispatch::v1::Task second = Lease("worker-2");
  EXPECT_EQ(second.attempt(), 2);
  EXPECT_EQ(second.checkpoint(), "step 7");
  EXPECT_NE(second.lease_token(), first.lease_token());
  Advance(kLease + absl::Seconds(1));
  job = Get(first.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(job.error().reason(), v1::JOB_FAILURE_REASON_WORKER_LOST);
  EXPECT_THAT(job.error().message(), testing::HasSubstr("worker-2"));
  EXPECT_EQ(job.attempt_count(), 2);
}

TEST_F(LeaseManagerTest, LateWritesOfAnExpiredLeaseAreFenced) {
  const dispatch::v1::Task old_task = SubmitAndLease();
  Advance(kLease + absl::Seconds(1));
  ExpectLeaseLost(Beat(old_task).status());
  ExpectLeaseLost(leases_->CompleteTask(SuccessOf(old_task, "late")));
  Register("worker-2");
  const dispatch::v1::Task new_task = Lease("worker-2");
  ExpectLeaseLost(Beat(old_task).status());
  ExpectLeaseLost(leases_->CompleteTask(SuccessOf(old_task, "late")));
  EXPECT_EQ(blobs_->List()->size(), 0) << "nothing of a fenced result stays";
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(new_task, "new")).ok());
  const v1::Artifact artifact = *coordinator_->GetArtifact(new_task.job());
  EXPECT_EQ(*(*coordinator_->OpenBlob(artifact.blobs(0).sha256()))->Read(0, 100),
            "scales.safetensors of new");
}

TEST_F(LeaseManagerTest, HeartbeatBeforeAnyoneNoticedKeepsAnExpiredLease) {
  const dispatch::v1::Task task = SubmitAndLease();
  clock_.Advance(kLease + absl::Seconds(5));
  ASSERT_TRUE(Beat(task).ok());
  Advance(absl::Seconds(1));
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_RUNNING);
}

TEST_F(LeaseManagerTest, RetryableFailuresAreTriedAgain) {
  for (v1::JobFailureReason reason :
       {v1::JOB_FAILURE_REASON_DISK_FULL, v1::JOB_FAILURE_REASON_SOURCE_UNAVAILABLE,
        v1::JOB_FAILURE_REASON_INTERNAL, v1::JOB_FAILURE_REASON_UNSPECIFIED}) {
    v1::JobSpec spec = MinimalSpec();
    spec.set_max_attempts(2);
    const dispatch::v1::Task first = SubmitAndLease(spec);
    ASSERT_TRUE(leases_->CompleteTask(FailureOf(first, reason)).ok());
    EXPECT_EQ(Get(first.job()).state(), v1::JOB_STATE_QUEUED);
    EXPECT_FALSE(Get(first.job()).has_error());
    ASSERT_TRUE(leases_->CompleteTask(FailureOf(Lease("worker-1"), reason)).ok());
    const v1::Job job = Get(first.job());
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(job.error().reason(), reason == v1::JOB_FAILURE_REASON_UNSPECIFIED
                                        ? v1::JOB_FAILURE_REASON_INTERNAL
                                        : reason);
    EXPECT_EQ(job.error().message(), "it did not work");
  }
}

TEST_F(LeaseManagerTest, FinalFailuresEndTheJob) {
  for (v1::JobFailureReason reason :
       {v1::JOB_FAILURE_REASON_INVALID_MODEL, v1::JOB_FAILURE_REASON_UNSUPPORTED_MODEL,
        v1::JOB_FAILURE_REASON_INVALID_TEXT, v1::JOB_FAILURE_REASON_INVALID_SPEC,
        v1::JOB_FAILURE_REASON_DIVERGED}) {
    const dispatch::v1::Task task = SubmitAndLease();
    ASSERT_TRUE(leases_->CompleteTask(FailureOf(task, reason)).ok());
    const v1::Job job = Get(task.job());
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(job.error().reason(), reason);
    EXPECT_TRUE(job.has_end_time());
  }
}

TEST_F(LeaseManagerTest, HandedBackTaskDoesNotCount) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_max_attempts(1);
  const dispatch::v1::Task first = SubmitAndLease(spec);
  dispatch::v1::CompleteTaskRequest back = OutcomeOf(first);
  back.mutable_handed_back()->set_checkpoint("half way");
  ASSERT_TRUE(leases_->CompleteTask(back).ok());
  const v1::Job job = Get(first.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(job.attempt_count(), 0);
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_DRAINING);
  Register("worker-2");
  const dispatch::v1::Task second = Lease("worker-2");
  EXPECT_EQ(second.attempt(), 1);
  EXPECT_EQ(second.checkpoint(), "half way");
}

TEST_F(LeaseManagerTest, SuccessPublishesInOneStep) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.mutable_progress()->set_fraction(0.9);
  *beat.add_rows() = Row(v1::METHOD_FP, 17.2);
  ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  dispatch::v1::CompleteTaskRequest success = SuccessOf(task, "a");
  success.set_log_data("done\n");
  ASSERT_TRUE(leases_->CompleteTask(success).ok());
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job.progress().fraction(), 1);
  ASSERT_EQ(job.rows_size(), 1);
  EXPECT_EQ(job.rows(0).method(), v1::METHOD_SASQ) << "the rows of the result are all of them";
  EXPECT_EQ(job.artifact(), "artifacts/" + job.name().substr(5));
  EXPECT_EQ(job.worker(), "");
  EXPECT_THAT(Log(task.job()), testing::HasSubstr("done\n"));
}

TEST_F(LeaseManagerTest, RepeatOfACompletionThatTookEffectIsOk) {
  const dispatch::v1::Task first = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());
  const int64_t sequence = Get(first.job()).sequence();
  EXPECT_TRUE(leases_->CompleteTask(SuccessOf(first, "a")).ok());
  EXPECT_EQ(Get(first.job()).sequence(), sequence);

  const dispatch::v1::Task second = SubmitAndLease();
  const auto failure = FailureOf(second, v1::JOB_FAILURE_REASON_INTERNAL);
  ASSERT_TRUE(leases_->CompleteTask(failure).ok());
  const dispatch::v1::Task again = Lease("worker-1");
  EXPECT_TRUE(leases_->CompleteTask(failure).ok()) << "even while the next attempt runs";
  EXPECT_EQ(Get(second.job()).state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(Get(second.job()).attempt_count(), 2);
}

TEST_F(LeaseManagerTest, CancelReachesTheWorkerByHeartbeat) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(coordinator_->CancelJob(task.job()).ok());
  EXPECT_EQ(Beat(task)->directive(), dispatch::v1::DIRECTIVE_CANCEL);
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_CANCELLING);
}

TEST_F(LeaseManagerTest, CancelWinsOverEveryOutcome) {
  const auto cancelled = [&](const auto& end) {
    const dispatch::v1::Task task = SubmitAndLease();
    EXPECT_TRUE(coordinator_->CancelJob(task.job()).ok());
    end(task);
    const v1::Job job = Get(task.job());
    EXPECT_EQ(job.state(), v1::JOB_STATE_CANCELLED);
    EXPECT_FALSE(job.has_error());
    EXPECT_EQ(job.artifact(), "");
    EXPECT_EQ(blobs_->List()->size(), 0);
  };
  cancelled(
      [&](const auto& task) { EXPECT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok()); });
  cancelled([&](const auto& task) {
    EXPECT_TRUE(leases_->CompleteTask(FailureOf(task, v1::JOB_FAILURE_REASON_DIVERGED)).ok());
  });
  cancelled([&](const auto& task) {
    EXPECT_TRUE(leases_->CompleteTask(FailureOf(task, v1::JOB_FAILURE_REASON_INTERNAL)).ok());
  });
  cancelled([&](const auto& task) {
    dispatch::v1::CompleteTaskRequest back = OutcomeOf(task);
    back.mutable_handed_back();
    EXPECT_TRUE(leases_->CompleteTask(back).ok());
  });
  cancelled([&](const auto&) { Advance(kLease + absl::Seconds(1)); });
}

TEST_F(LeaseManagerTest, CancelThatNobodyAskedForIsRefused) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::CompleteTaskRequest request = OutcomeOf(task);
  request.mutable_cancelled();
  EXPECT_EQ(ReasonOf(leases_->CompleteTask(request)), "INVALID_REQUEST");
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_RUNNING);
}

TEST_F(LeaseManagerTest, RestartedCoordinatorKeepsLeases) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Beat(task).ok());
  clock_.Advance(absl::Hours(2));  // down for long: the lease ran out meanwhile
  Start();
  Advance(kLease - absl::Seconds(1));
  EXPECT_EQ(ReasonOf(Beat(task).status()), "WORKER_NOT_REGISTERED");
  Register("worker-1");
  ASSERT_TRUE(Beat(task).ok());
  Advance(absl::Seconds(2));
  const v1::Job job = Get(task.job());
  EXPECT_EQ(job.state(), v1::JOB_STATE_RUNNING);
  EXPECT_EQ(job.attempt_count(), 1);
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).job(), task.job());
}

TEST_F(LeaseManagerTest, WorkerThatDoesNotComeBackAfterARestartLosesItsLease) {
  const dispatch::v1::Task task = SubmitAndLease();
  Start();
  Advance(kLease);
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_QUEUED);
}

TEST_F(LeaseManagerTest, LostAnswerIsGivenAgain) {
  const dispatch::v1::Task task = SubmitAndLease();
  const auto again = leases_->FindUndelivered("worker-1", "instance-1");
  ASSERT_TRUE(again.ok() && again->has_value());
  EXPECT_EQ((*again)->lease_token(), task.lease_token());
  EXPECT_EQ((*again)->attempt(), 1);
  EXPECT_FALSE(leases_->FindUndelivered("worker-1", "instance-2")->has_value());
}

TEST_F(LeaseManagerTest, AskingForAnotherTaskGivesUpTheOneAtWork) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Beat(task).ok());
  EXPECT_FALSE(leases_->FindUndelivered("worker-1", "instance-1")->has_value());
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Get(task.job()).attempt_count(), 1);
  ExpectLeaseLost(Beat(task).status());
}

TEST_F(LeaseManagerTest, TaskThatCouldNotBeGivenIsTakenBack) {
  const dispatch::v1::Task task = SubmitAndLease();
  leases_->TakeBack(task);
  EXPECT_EQ(Get(task.job()).state(), v1::JOB_STATE_QUEUED);
  EXPECT_EQ(Get(task.job()).attempt_count(), 0);
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_IDLE);
}

TEST_F(LeaseManagerTest, TwoProcessesWithOneWorkerId) {
  Register("worker-1", "instance-1");
  Register("worker-1", "instance-1");
  const absl::Status taken =
      leases_->RegisterWorker(WorkerNamed("worker-1", "instance-2")).status();
  EXPECT_TRUE(absl::IsAlreadyExists(taken)) << taken;
  EXPECT_EQ(ReasonOf(taken), "WORKER_ID_TAKEN");
  Advance(kLease + absl::Seconds(1));
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_LOST);
  Register("worker-1", "instance-2");
  EXPECT_EQ(ReasonOf(leases_->LeaseNext("worker-1", "instance-1").status()),
            "WORKER_NOT_REGISTERED");
  EXPECT_EQ(ReasonOf(leases_->RegisterWorker(WorkerNamed("worker-1", "instance-1")).status()),
            "WORKER_ID_TAKEN");
}

TEST_F(LeaseManagerTest, WorkerThatDrainedLeavesItsIdToItsSuccessor) {
  dispatch::v1::CompleteTaskRequest back = OutcomeOf(SubmitAndLease());
  back.mutable_handed_back();
  ASSERT_TRUE(leases_->CompleteTask(back).ok());
  Register("worker-1", "instance-2");
  EXPECT_EQ(Lease("worker-1", "instance-2").attempt(), 1);
}

TEST_F(LeaseManagerTest, WorkerThatHoldsAPollIsNotLost) {
  Register("worker-1");
  workers_->BeginPoll("worker-1", "instance-1");
  Advance(absl::Hours(1));
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_IDLE);
  workers_->EndPoll("worker-1", "instance-1", clock_.Now());
  Advance(kLease + absl::Seconds(1));
  EXPECT_EQ(coordinator_->ListWorkers().workers(0).state(), v1::WORKER_STATE_LOST);
  Advance(absl::Hours(2));
  EXPECT_EQ(coordinator_->ListWorkers().workers_size(), 0);
}

TEST_F(LeaseManagerTest, LogStopsAtItsLimitAndSaysSo) {
  const dispatch::v1::Task task = SubmitAndLease();
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  std::string data;
  while (data.size() + 64 <= kMaxLogDataBytes) data += std::string(63, 'x') + "\n";
  beat.set_log_data(data);
  for (int64_t i = 0; i < kMaxJobLogBytes / static_cast<int64_t>(data.size()) + 5; ++i) {
    ASSERT_TRUE(leases_->Heartbeat(beat).ok());
  }
  const absl::StatusOr<LogChunk> whole =
      coordinator_->ReadJobLog(task.job(), 0, 2 * kMaxJobLogBytes);
  ASSERT_TRUE(whole.ok());
  EXPECT_LE(whole->log_size_bytes, kMaxJobLogBytes);
  EXPECT_GT(whole->log_size_bytes, kMaxJobLogBytes - 200);
  const absl::string_view end = absl::string_view(whole->data).substr(whole->data.size() - 100);
  EXPECT_THAT(std::string(end), testing::HasSubstr("x\ncoordinator: the log is longer"));
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  EXPECT_EQ(coordinator_->ReadJobLog(task.job(), 0, 1)->log_size_bytes, whole->log_size_bytes);
}

TEST_F(LeaseManagerTest, ChangesAreToldOnceAndInSequence) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(leases_->CompleteTask(SuccessOf(task, "a")).ok());
  const std::vector<v1::Job> changes = events_.changes();
  ASSERT_EQ(changes.size(), 3);
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(changes[i].sequence(), static_cast<int64_t>(i) + 1);
  }
  EXPECT_EQ(changes.back().state(), v1::JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace sasq
