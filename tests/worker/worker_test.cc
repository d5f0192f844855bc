#include "worker/worker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <stdexcept>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/rpc_status.h"
#include "tests/worker/fake_coordinator.h"
#include "tests/worker/fake_task_runner.h"
#include "worker/task_report.h"

namespace sasq {
namespace {

using dispatch::v1::CompleteTaskRequest;
using dispatch::v1::Task;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Seen = FakeCoordinator::Seen;

// A worker on a thread of its own.
class RunningWorker {
 public:
  RunningWorker(const FakeCoordinator& coordinator, FakeTaskRunner::Body body,
                const std::function<void(Worker::Options&)>& change = {})
      : runner_(std::move(body)) {
    Worker::Options options;
    options.coordinator = coordinator.address();
    options.worker_id = "w1";
    options.capabilities.set_device_name("test device");
    options.backoff = {absl::Milliseconds(5), absl::Milliseconds(50)};
    options.runner = &runner_;
    options.metrics = &metrics_;
    if (change) change(options);
    worker_ = Worker::Create(std::move(options)).value();
    thread_ = std::thread([this] { status_ = worker_->Run(); });
  }
  ~RunningWorker() { DrainAndJoin(); }

  void Drain() { worker_->Drain(); }
  void DrainAndJoin() {
    worker_->Drain();
    if (thread_.joinable()) thread_.join();
  }
  // Waits until the worker ends by itself.
  absl::Status Join() {
    thread_.join();
    return status_;
  }
  double TasksEnded(const std::string& outcome) {
    return metrics_.GetCounter("sasq_worker_tasks_total", "", {{"outcome", outcome}}).value();
  }

 private:
  FakeTaskRunner runner_;
  MetricRegistry metrics_;
  std::unique_ptr<Worker> worker_;
  absl::Status status_;  // what Run returned; read after the thread was joined
  std::thread thread_;
};

auto Completions(size_t count) {
  return [count](const Seen& seen) { return seen.completions.size() >= count; };
}
auto Heartbeats(size_t count) {
  return [count](const Seen& seen) { return seen.heartbeats.size() >= count; };
}

int RowCount(const Seen& seen) {
  int rows = 0;
  for (const auto& heartbeat : seen.heartbeats) rows += heartbeat.rows_size();
  return rows;
}

std::string AllLog(const Seen& seen) {
  std::string log;
  for (const auto& heartbeat : seen.heartbeats) log += heartbeat.log_data();
  for (const auto& completion : seen.completions) log += completion.log_data();
  return log;
}

TEST(WorkerTest, RunsATaskAndDeliversItsResult) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a", "checkpoint of before");
  std::string checkpoint;
  RunningWorker worker(coordinator, [&](const Task& task, TaskObserver& observer, std::stop_token) {
    checkpoint = task.checkpoint();
    observer.OnLog("a line");
    v1::Progress progress;
    progress.set_stage(v1::STAGE_TRAIN);
    progress.set_step(3);
    observer.OnProgress(progress);
    v1::ReportRow row;
    row.set_method(v1::METHOD_SASQ);
    row.set_perplexity(17.25);
    observer.OnRow(row);
    // A heartbeat may go out between what is told; the row may come in the next one.
    coordinator.WaitUntil([](const Seen& seen) {
      return !seen.heartbeats.empty() && seen.heartbeats.back().progress().step() == 3 &&
             RowCount(seen) == 1;
    });
    observer.OnLog("the last line");
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  worker.DrainAndJoin();

  const Seen seen = coordinator.seen();
  EXPECT_EQ(checkpoint, "checkpoint of before");
  ASSERT_EQ(seen.registrations.size(), 1u);
  EXPECT_EQ(seen.registrations[0].capabilities().device_name(), "test device");
  const CompleteTaskRequest& completion = seen.completions[0];
  EXPECT_EQ(completion.job(), "jobs/a");
  EXPECT_EQ(completion.lease_token(), "token-a");
  EXPECT_EQ(completion.succeeded().rows(0).perplexity(), 17.25);
  EXPECT_EQ(completion.succeeded().files(0).content(), "scales");
  EXPECT_EQ(RowCount(seen), 1);
  EXPECT_THAT(AllLog(seen), testing::MatchesRegex(".* a line\n.* the last line\n"));
  EXPECT_EQ(worker.TasksEnded("succeeded"), 1);
}

TEST(WorkerTest, ReportsFailuresAndLivesOn) {
  FakeCoordinator coordinator;
  for (const char* name : {"model", "bare", "strange", "memory", "thrown", "stopped", "good"}) {
    coordinator.AddTask(name);
  }
  RunningWorker worker(
      coordinator,
      [](const Task& task, TaskObserver&, std::stop_token) -> absl::StatusOr<TaskResult> {
        const std::string job = task.job();
        const absl::Status bad = absl::InvalidArgumentError("bad \xff bytes");
        if (job == "jobs/model") return WithReason(bad, "INVALID_MODEL");
        if (job == "jobs/bare") return bad;
        if (job == "jobs/strange") return WithReason(bad, "UNHEARD_OF");
        if (job == "jobs/memory") throw std::bad_alloc();
        if (job == "jobs/thrown") throw std::runtime_error("oops");
        if (job == "jobs/stopped") return absl::CancelledError("by itself");
        return SmallResult();
      });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(7)));
  worker.DrainAndJoin();

  std::vector<std::string> reasons;
  const Seen seen = coordinator.seen();
  for (const auto& completion : seen.completions) {
    reasons.push_back(v1::JobFailureReason_Name(completion.failed().error().reason()));
  }
  EXPECT_THAT(reasons,
              ElementsAre("JOB_FAILURE_REASON_INVALID_MODEL", "JOB_FAILURE_REASON_INTERNAL",
                          "JOB_FAILURE_REASON_INTERNAL", "JOB_FAILURE_REASON_OUT_OF_MEMORY",
                          "JOB_FAILURE_REASON_INTERNAL", "JOB_FAILURE_REASON_INTERNAL",
                          "JOB_FAILURE_REASON_UNSPECIFIED"));
  EXPECT_EQ(seen.completions[0].failed().error().message(), "bad ? bytes");
  EXPECT_THAT(seen.completions[4].failed().error().message(), HasSubstr("oops"));
  EXPECT_TRUE(seen.completions[6].has_succeeded());
  EXPECT_EQ(worker.TasksEnded("failed"), 6);
}

TEST(WorkerTest, CancelStopsTheTaskAndIsConfirmed) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  RunningWorker worker(coordinator, [](const Task&, TaskObserver&, std::stop_token stop) {
    return RunUntilStopped(std::move(stop));
  });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(2)));
  coordinator.Cancel("a");
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  EXPECT_TRUE(coordinator.seen().completions[0].has_cancelled());
  worker.DrainAndJoin();
  EXPECT_EQ(worker.TasksEnded("cancelled"), 1);
}

TEST(WorkerTest, LostLeaseDropsTheTask) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  coordinator.AddTask("b");
  RunningWorker worker(
      coordinator,
      [](const Task& task, TaskObserver&, std::stop_token stop) -> absl::StatusOr<TaskResult> {
        if (task.job() == "jobs/a") return RunUntilStopped(std::move(stop));
        return SmallResult();
      });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(1)));
  coordinator.LoseLease("a");
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  EXPECT_EQ(coordinator.seen().completions[0].job(), "jobs/b");
  worker.DrainAndJoin();
  EXPECT_EQ(worker.TasksEnded("lost"), 1);
}

TEST(WorkerTest, ResultOfALostLeaseIsDropped) {
  FakeCoordinator coordinator(absl::Milliseconds(500));
  coordinator.AddTask("a");
  coordinator.AddTask("b");
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver&, std::stop_token) {
    coordinator.LoseLease("a");
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  EXPECT_EQ(coordinator.seen().completions[0].job(), "jobs/b");
}

TEST(WorkerTest, GoesOnWhenTheCoordinatorWasRestarted) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  std::atomic<bool> restarted{false};
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver& observer, std::stop_token stop) {
    observer.OnLog("before");
    coordinator.WaitUntil([&](const Seen& seen) {
      return stop.stop_requested() || (restarted && seen.registrations.size() == 2);
    });
    EXPECT_FALSE(stop.stop_requested());
    observer.OnLog("after");
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(2)));
  coordinator.Stop();
  coordinator.ForgetWorkers();
  coordinator.Start();
  restarted = true;
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  const Seen seen = coordinator.seen();
  EXPECT_EQ(seen.registrations[0].instance_id(), seen.registrations[1].instance_id());
  EXPECT_EQ(seen.completions[0].lease_token(), "token-a");
  EXPECT_TRUE(seen.completions[0].has_succeeded());
  EXPECT_THAT(AllLog(seen), testing::MatchesRegex(".* before\n.* after\n"));
}

TEST(WorkerTest, IdleWorkerRegistersAgainWhenItIsNotKnown) {
  FakeCoordinator coordinator;
  RunningWorker worker(
      coordinator, [](const Task&, TaskObserver&, std::stop_token) { return SmallResult(); },
      [](Worker::Options& options) { options.lease_wait = absl::Milliseconds(20); });
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls > 1; }));
  coordinator.Stop();
  coordinator.ForgetWorkers();
  coordinator.Start();
  coordinator.AddTask("a");
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  EXPECT_EQ(coordinator.seen().registrations.size(), 2u);
}

TEST(WorkerTest, DeliversTheResultAfterAnOutage) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  std::atomic<bool> down{false};
  std::atomic<bool> finished{false};
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver&, std::stop_token) {
    down.wait(false);
    finished = true;
    finished.notify_all();
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(1)));
  coordinator.Stop();
  down = true;
  down.notify_all();
  finished.wait(false);
  coordinator.Start();
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  EXPECT_TRUE(coordinator.seen().completions[0].has_succeeded());
}

TEST(WorkerTest, RetriesWhileTheCoordinatorIsBusy) {
  FakeCoordinator coordinator;
  coordinator.FailNext("RegisterWorker", 2, absl::UnavailableError("the store is away"));
  coordinator.FailNext("LeaseTask", 2, absl::ResourceExhaustedError("busy"));
  coordinator.FailNext("Heartbeat", 3, absl::UnavailableError("the store is away"));
  coordinator.FailNext("CompleteTask", 3, absl::UnavailableError("the store is away"));
  coordinator.AddTask("a");
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver& observer, std::stop_token) {
    v1::ReportRow row;
    row.set_perplexity(20);
    observer.OnRow(row);
    observer.OnLog("a line");
    observer.OnCheckpoint("checkpoint");
    coordinator.WaitUntil(Heartbeats(2));
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  const Seen seen = coordinator.seen();
  EXPECT_EQ(seen.failed_calls, 10);
  // What the failed heartbeats said was said again, once.
  int rows = 0;
  std::string checkpoints;
  for (const auto& heartbeat : seen.heartbeats) {
    rows += heartbeat.rows_size();
    checkpoints += heartbeat.checkpoint();
  }
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(checkpoints, "checkpoint");
  EXPECT_THAT(AllLog(seen), testing::MatchesRegex("[^\n]* a line\n"));
}

TEST(WorkerTest, DrainHandsTheTaskBackWithItsLatestCheckpoint) {
  FakeCoordinator coordinator(absl::Milliseconds(900));
  coordinator.AddTask("a");
  std::atomic<bool> told{false};
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver& observer, std::stop_token stop) {
    coordinator.WaitUntil(Heartbeats(1));
    observer.OnCheckpoint("one");
    observer.OnCheckpoint("two");
    told = true;
    told.notify_all();
    return RunUntilStopped(std::move(stop));
  });
  told.wait(false);
  worker.DrainAndJoin();
  const Seen seen = coordinator.seen();
  ASSERT_EQ(seen.completions.size(), 1u);
  ASSERT_TRUE(seen.completions[0].has_handed_back());
  // The interval is long enough that no heartbeat may have carried it; if one did, it was this.
  const std::string& checkpoint = seen.completions[0].handed_back().checkpoint();
  EXPECT_TRUE(checkpoint == "two" || seen.heartbeats.back().checkpoint() == "two") << checkpoint;
  EXPECT_EQ(worker.TasksEnded("handed_back"), 1);
}

TEST(WorkerTest, DrainDeliversAResultThatIsReady) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  RunningWorker worker(
      coordinator,
      [&](const Task&, TaskObserver&, std::stop_token stop) -> absl::StatusOr<TaskResult> {
        RunUntilStopped(std::move(stop)).IgnoreError();
        return SmallResult();
      });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(1)));
  worker.DrainAndJoin();
  ASSERT_EQ(coordinator.seen().completions.size(), 1u);
  EXPECT_TRUE(coordinator.seen().completions[0].has_succeeded());
}

// CUDA errors are sticky: the process can compute no more. INTERNAL is tried again elsewhere.
TEST(WorkerTest, AFaultOfTheDeviceFailsTheAttemptAndEndsTheWorker) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  RunningWorker worker(
      coordinator, [](const Task&, TaskObserver&, std::stop_token) -> absl::StatusOr<TaskResult> {
        return WithReason(absl::InternalError("CUDA error: illegal address"), kDeviceFaultReason);
      });
  const absl::Status status = worker.Join();
  EXPECT_THAT(std::string(status.message()), HasSubstr("illegal address"));
  const Seen seen = coordinator.seen();
  ASSERT_EQ(seen.completions.size(), 1u);
  EXPECT_EQ(seen.completions[0].failed().error().reason(), v1::JOB_FAILURE_REASON_INTERNAL);
}

TEST(WorkerTest, IdleWorkerDrainsAtOnce) {
  FakeCoordinator coordinator;
  RunningWorker worker(
      coordinator, [](const Task&, TaskObserver&, std::stop_token) { return SmallResult(); },
      [](Worker::Options& options) { options.lease_wait = absl::Seconds(60); });
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls == 1; }));
  const Stopwatch time;
  worker.DrainAndJoin();
  EXPECT_LT(time.Seconds(), 10);  // far from the 60 s of the long poll, far above a slow machine
}

TEST(WorkerTest, DrainHandsBackATaskWhoseAnswerWasLost) {
  FakeCoordinator coordinator;
  RunningWorker worker(coordinator, [](const Task&, TaskObserver&, std::stop_token) {
    ADD_FAILURE() << "a draining worker runs nothing";
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls == 1; }));
  coordinator.AddUndelivered("a", "w1");
  worker.DrainAndJoin();
  ASSERT_EQ(coordinator.seen().completions.size(), 1u);
  EXPECT_TRUE(coordinator.seen().completions[0].has_handed_back());
}

TEST(WorkerTest, DrainDoesNotWaitForeverForACoordinatorThatIsAway) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  RunningWorker worker(
      coordinator,
      [](const Task&, TaskObserver&, std::stop_token stop) {
        return RunUntilStopped(std::move(stop));
      },
      [](Worker::Options& options) { options.drain_timeout = absl::Milliseconds(300); });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(1)));
  coordinator.Stop();
  worker.DrainAndJoin();
  EXPECT_EQ(worker.TasksEnded("lost"), 1);
}

TEST(WorkerTest, LongSilenceStopsTheTask) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  std::atomic<bool> stopped{false};
  RunningWorker worker(
      coordinator,
      [&](const Task&, TaskObserver&, std::stop_token stop) {
        const absl::Status status = RunUntilStopped(std::move(stop));
        stopped = true;
        stopped.notify_all();
        return status;
      },
      [](Worker::Options& options) { options.max_silence = absl::Milliseconds(200); });
  ASSERT_TRUE(coordinator.WaitUntil(Heartbeats(1)));
  coordinator.Stop();
  stopped.wait(false);
  coordinator.ForgetWorkers();
  coordinator.Start();
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls >= 2; }));
  worker.DrainAndJoin();
  EXPECT_TRUE(coordinator.seen().completions.empty());
  EXPECT_EQ(worker.TasksEnded("lost"), 1);
}

TEST(WorkerTest, SecondWorkerWithTheSameIdWaitsForTheFirstToGo) {
  FakeCoordinator coordinator;
  const auto body = [](const Task&, TaskObserver&, std::stop_token) { return SmallResult(); };
  RunningWorker first(coordinator, body);
  ASSERT_TRUE(coordinator.WaitUntil([](const Seen& seen) { return seen.lease_calls == 1; }));
  RunningWorker second(coordinator, body);
  ASSERT_TRUE(
      coordinator.WaitUntil([](const Seen& seen) { return seen.refused_registrations >= 2; }));
  first.DrainAndJoin();
  coordinator.ForgetWorkers();  // as when the first is counted as lost
  coordinator.AddTask("a");
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  second.DrainAndJoin();
  EXPECT_EQ(second.TasksEnded("succeeded"), 1);
}

TEST(WorkerTest, LongLogArrivesWholeInSmallMessages) {
  constexpr int kLines = 600;
  const std::string filler(1000, 'x');
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  RunningWorker worker(coordinator, [&](const Task&, TaskObserver& observer, std::stop_token) {
    for (int i = 0; i < kLines; ++i) observer.OnLog(absl::StrCat(i, " ", filler));
    return SmallResult();
  });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  const Seen seen = coordinator.seen();
  for (const auto& heartbeat : seen.heartbeats) {
    EXPECT_LE(heartbeat.log_data().size(), kMaxLogBytesPerMessage);
  }
  EXPECT_LE(seen.completions[0].log_data().size(), kMaxLogBytesPerMessage);
  const std::vector<std::string> lines = absl::StrSplit(AllLog(seen), '\n');
  ASSERT_EQ(lines.size(), size_t{kLines} + 1);
  for (int i = 0; i < kLines; ++i) {
    EXPECT_THAT(lines[i], testing::EndsWith(absl::StrCat("Z ", i, " ", filler)));
  }
}

TEST(WorkerTest, AResultThatIsRefusedFailsTheJob) {
  FakeCoordinator coordinator;
  coordinator.AddTask("a");
  coordinator.FailNext("CompleteTask", 1, absl::InvalidArgumentError("files are too large"));
  RunningWorker worker(coordinator,
                       [](const Task&, TaskObserver&, std::stop_token) { return SmallResult(); });
  ASSERT_TRUE(coordinator.WaitUntil(Completions(1)));
  const v1::JobError error = coordinator.seen().completions[0].failed().error();
  EXPECT_EQ(error.reason(), v1::JOB_FAILURE_REASON_INTERNAL);
  EXPECT_THAT(error.message(), HasSubstr("files are too large"));
}

TEST(WorkerTest, OptionsOutOfRangeAreNamed) {
  FakeTaskRunner runner([](const Task&, TaskObserver&, std::stop_token) { return SmallResult(); });
  MetricRegistry metrics;
  Worker::Options options;
  options.coordinator = "127.0.0.1:1";
  options.worker_id = std::string(129, 'w');
  options.runner = &runner;
  options.metrics = &metrics;
  EXPECT_THAT(std::string(Worker::Create(options).status().message()),
              HasSubstr("worker_id has 129 bytes, want 1..128"));
  options.worker_id = "w";
  options.lease_wait = absl::Seconds(61);
  EXPECT_THAT(std::string(Worker::Create(options).status().message()),
              HasSubstr("lease_wait is 1m1s, want 0..60 s"));
}

}  // namespace
}  // namespace sasq
