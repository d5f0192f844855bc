// Every `Errors:` line of sasq.dispatch.v1.DispatchService, and how long polls wait.
#include <thread>

#include "common/uid.h"
#include "server/dispatch_validation.h"
#include "tests/server/server_fixture.h"

namespace sasq {
namespace {

using DispatchServiceTest = ServerFixture;
using LeasePollTest = MeteredServerFixture;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;

TEST_F(DispatchServiceTest, RegisterWorkerErrors) {
  ExpectError(Register(WorkerNamed("")), kInvalid, "INVALID_REQUEST");
  ExpectError(Register(WorkerNamed(std::string(129, 'w'))), kInvalid, "INVALID_REQUEST");
  ExpectError(Register(WorkerNamed("w", "")), kInvalid, "INVALID_REQUEST");
  dispatch::v1::RegisterWorkerRequest bare = WorkerNamed("w");
  bare.clear_capabilities();
  ExpectError(Register(bare), kInvalid, "INVALID_REQUEST");
  bare.mutable_capabilities();
  const absl::Status empty = Register(bare);
  ExpectError(empty, kInvalid, "INVALID_REQUEST");
  EXPECT_EQ(FieldViolationsOf(empty).size(), 5) << empty;

  EXPECT_TRUE(Register(WorkerNamed("w", "one")).ok());
  EXPECT_TRUE(Register(WorkerNamed("w", "one")).ok());
  ExpectError(Register(WorkerNamed("w", "two")), absl::StatusCode::kAlreadyExists,
              "WORKER_ID_TAKEN");
}

TEST_F(DispatchServiceTest, RegistrationTellsTheTerms) {
  dispatch::v1::RegisterWorkerResponse response;
  ASSERT_TRUE(dispatch_->RegisterWorker(Context().get(), WorkerNamed("w"), &response).ok());
  EXPECT_EQ(ToDuration(response.lease_duration()), absl::Seconds(30));
  EXPECT_EQ(ToDuration(response.heartbeat_interval()), absl::Seconds(1));
}

TEST_F(DispatchServiceTest, LeaseTaskErrors) {
  ExpectError(LeaseTask("w", absl::ZeroDuration()).status(), absl::StatusCode::kNotFound,
              "WORKER_NOT_REGISTERED");
  ASSERT_TRUE(Register(WorkerNamed("w")).ok());
  ExpectError(LeaseTask("w", absl::ZeroDuration(), "other").status(), absl::StatusCode::kNotFound,
              "WORKER_NOT_REGISTERED");
  ExpectError(LeaseTask("w", absl::Seconds(-1)).status(), kInvalid, "INVALID_REQUEST");
}

TEST_F(DispatchServiceTest, HeartbeatErrors) {
  const dispatch::v1::Task task = SubmitAndLease();
  ExpectError(Beat(HeartbeatOf(task, "stranger")).status(), absl::StatusCode::kNotFound,
              "WORKER_NOT_REGISTERED");
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.set_lease_token(NewUid());
  ExpectError(Beat(beat).status(), absl::StatusCode::kAborted, "LEASE_LOST");
  beat.set_lease_token("");
  ExpectError(Beat(beat).status(), absl::StatusCode::kAborted, "LEASE_LOST");
  beat = HeartbeatOf(task, "worker-1");
  beat.set_job("jobs/" + NewUid());
  ExpectError(Beat(beat).status(), absl::StatusCode::kAborted, "LEASE_LOST");
  beat = HeartbeatOf(task, "worker-1");
  beat.set_log_data(std::string(kMaxLogDataBytes + 1, 'x'));
  ExpectError(Beat(beat).status(), kInvalid, "INVALID_REQUEST");
  beat = HeartbeatOf(task, "worker-1");
  beat.set_checkpoint(std::string(kMaxCheckpointBytes + 1, 'x'));
  ExpectError(Beat(beat).status(), kInvalid, "INVALID_REQUEST");
  beat.set_checkpoint(std::string(kMaxCheckpointBytes, 'x'));
  EXPECT_TRUE(Beat(beat).ok());
}

TEST_F(DispatchServiceTest, CompleteTaskErrors) {
  const dispatch::v1::Task task = SubmitAndLease();
  const auto refused = [&](const auto& spoil) {
    dispatch::v1::CompleteTaskRequest request = SuccessOf(task, "a");
    spoil(request);
    ExpectError(Complete(request), kInvalid, "INVALID_REQUEST");
  };
  refused([](auto& r) { r.clear_outcome(); });
  refused([](auto& r) { r.mutable_succeeded()->mutable_files()->RemoveLast(); });
  refused([](auto& r) { r.mutable_succeeded()->clear_files(); });
  refused([](auto& r) { r.mutable_succeeded()->mutable_files(0)->set_file_name("../scales"); });
  refused([](auto& r) { *r.mutable_succeeded()->add_files() = r.succeeded().files(0); });
  refused([](auto& r) {
    r.mutable_succeeded()->mutable_files(0)->set_content(std::string(kMaxArtifactBytes, 'x'));
  });
  refused([](auto& r) { r.set_log_data(std::string(kMaxLogDataBytes + 1, 'x')); });
  refused([](auto& r) {
    r.mutable_handed_back()->set_checkpoint(std::string(kMaxCheckpointBytes + 1, 'x'));
  });
  refused([](auto& r) { r.mutable_cancelled(); });

  dispatch::v1::CompleteTaskRequest stale = SuccessOf(task, "a");
  stale.set_lease_token(NewUid());
  ExpectError(Complete(stale), absl::StatusCode::kAborted, "LEASE_LOST");
  stale.set_job("jobs/" + NewUid());
  ExpectError(Complete(stale), absl::StatusCode::kAborted, "LEASE_LOST");
  EXPECT_EQ(Get(task.job())->state(), v1::JOB_STATE_RUNNING);

  // The largest result there may be.
  dispatch::v1::CompleteTaskRequest large = SuccessOf(task, "a");
  large.mutable_succeeded()->mutable_files(0)->set_content(
      std::string(kMaxArtifactBytes - 1000, 'x'));
  EXPECT_TRUE(Complete(large).ok());
  EXPECT_TRUE(Complete(large).ok()) << "a repeat is OK";
  EXPECT_EQ(Get(task.job())->state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(DispatchServiceTest, ZeroWaitAnswersAtOnce) {
  ASSERT_TRUE(Register(WorkerNamed("w")).ok());
  const auto none = LeaseTask("w", absl::ZeroDuration());
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_task());
  Submit();
  EXPECT_TRUE(LeaseTask("w", absl::ZeroDuration())->has_task());
}

TEST_F(DispatchServiceTest, PollEndsWithoutATaskAtItsDeadline) {
  ASSERT_TRUE(Register(WorkerNamed("w")).ok());
  const auto none = LeaseTask("w", absl::Milliseconds(300));
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_task());
}

TEST_F(LeasePollTest, HeldPollGetsAJobThatComesLater) {
  ASSERT_TRUE(Register(WorkerNamed("w")).ok());
  absl::StatusOr<dispatch::v1::LeaseTaskResponse> response;
  std::thread poller([&] { response = LeaseTask("w", kRpcTimeout); });
  WaitForHeldPolls("1");
  const std::string name = Submit().name();
  poller.join();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->task().job(), name);
}

TEST_F(DispatchServiceTest, ManyPollsShareTheJobs) {
  constexpr int kWorkers = 50;
  std::vector<std::thread> pollers;
  std::vector<std::string> jobs(kWorkers);
  for (int i = 0; i < kWorkers; ++i) {
    const std::string id = absl::StrCat("w", i);
    ASSERT_TRUE(Register(WorkerNamed(id)).ok());
    pollers.emplace_back([this, id, &job = jobs[i]] {
      const auto response = LeaseTask(id, kRpcTimeout);
      if (response.ok()) job = response->task().job();
    });
  }
  std::vector<std::string> submitted;
  for (int i = 0; i < kWorkers; ++i) submitted.push_back(Submit().name());
  for (std::thread& poller : pollers) poller.join();
  EXPECT_THAT(jobs, testing::UnorderedElementsAreArray(submitted));
}

TEST_F(DispatchServiceTest, JobsWaitForTheirDevice) {
  v1::JobSpec spec = MinimalSpec();
  spec.set_device_kind(v1::DEVICE_KIND_CUDA);
  const std::string name = Submit(spec).name();
  ASSERT_TRUE(Register(WorkerNamed("cpu")).ok());
  ASSERT_TRUE(Register(WorkerNamed("gpu", "instance-1", v1::DEVICE_KIND_CUDA)).ok());
  EXPECT_FALSE(LeaseTask("cpu", absl::ZeroDuration())->has_task());
  EXPECT_EQ(LeaseTask("gpu", absl::ZeroDuration())->task().job(), name);
}

TEST_F(LeasePollTest, PollOfACallerThatHungUpTakesNoJob) {
  ASSERT_TRUE(Register(WorkerNamed("gone")).ok());
  dispatch::v1::LeaseTaskRequest request;
  request.set_worker_id("gone");
  request.set_instance_id("instance-1");
  SetDuration(kRpcTimeout, request.mutable_wait());
  const auto context = Context();
  std::thread poller([&] {
    dispatch::v1::LeaseTaskResponse response;
    EXPECT_EQ(dispatch_->LeaseTask(context.get(), request, &response).error_code(),
              grpc::StatusCode::CANCELLED);
  });
  WaitForHeldPolls("1");
  context->TryCancel();
  poller.join();
  WaitForHeldPolls("0");
  Submit();
  ASSERT_TRUE(Register(WorkerNamed("here")).ok());
  const auto response = LeaseTask("here", kRpcTimeout);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->task().attempt(), 1);
}

TEST_F(DispatchServiceTest, LostAnswerIsGivenAgain) {
  const dispatch::v1::Task task = SubmitAndLease();
  const auto again = LeaseTask("worker-1", absl::ZeroDuration());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->task().lease_token(), task.lease_token());
}

TEST_F(LeasePollTest, ShutdownEndsPollsWithUnavailable) {
  ASSERT_TRUE(Register(WorkerNamed("w")).ok());
  absl::Status status;
  std::thread poller([&] { status = LeaseTask("w", kRpcTimeout).status(); });
  WaitForHeldPolls("1");
  server_->Shutdown();
  poller.join();
  ExpectError(status, absl::StatusCode::kUnavailable, "SERVER_SHUTDOWN");
}

TEST_F(DispatchServiceTest, RestartedServerLetsTheAttemptGoOn) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Beat(HeartbeatOf(task, "worker-1")).ok());
  server_.reset();
  StartServer();
  ExpectError(Beat(HeartbeatOf(task, "worker-1")).status(), absl::StatusCode::kNotFound,
              "WORKER_NOT_REGISTERED");
  ASSERT_TRUE(Register(WorkerNamed("worker-1")).ok());
  EXPECT_EQ(*Beat(HeartbeatOf(task, "worker-1")), dispatch::v1::DIRECTIVE_CONTINUE);
  EXPECT_EQ(Get(task.job())->attempt_count(), 1);
  EXPECT_TRUE(Complete(SuccessOf(task, "a")).ok());
}

}  // namespace
}  // namespace sasq
