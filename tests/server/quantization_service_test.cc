// Every `Errors:` line of sasq.v1.QuantizationService, and what its streams promise.
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "common/uid.h"
#include "server/sqlite.h"
#include "tests/server/server_fixture.h"

namespace sasq {
namespace {

using QuantizationServiceTest = ServerFixture;

constexpr absl::StatusCode kInvalid = absl::StatusCode::kInvalidArgument;
constexpr absl::StatusCode kNotFound = absl::StatusCode::kNotFound;

std::string UnknownJob() { return "jobs/" + NewUid(); }

TEST_F(QuantizationServiceTest, SubmitJobErrors) {
  v1::SubmitJobResponse response;
  v1::SubmitJobRequest request;
  ExpectError(SubmitWith(request, &response), kInvalid, "INVALID_SPEC");

  const std::string model = folder_.path() + "/model";
  std::filesystem::create_directories(model);
  std::ofstream(model + "/config.json") << R"json({"architectures": ["BertModel"]})json";
  *request.mutable_spec() = MinimalSpec();
  request.mutable_spec()->mutable_model()->set_uri("file:" + model);
  const absl::Status unknown = SubmitWith(request, &response);
  ExpectError(unknown, kInvalid, "INVALID_SPEC");
  EXPECT_THAT(std::string(unknown.message()), testing::HasSubstr("LlamaForCausalLM"));

  *request.mutable_spec() = MinimalSpec();
  request.set_request_id(std::string(129, 'x'));
  ExpectError(SubmitWith(request, &response), kInvalid, "INVALID_REQUEST");

  request.set_request_id("mine");
  ASSERT_TRUE(SubmitWith(request, &response).ok());
  const std::string name = response.job().name();
  ASSERT_TRUE(SubmitWith(request, &response).ok());
  EXPECT_EQ(response.job().name(), name);
  request.mutable_spec()->set_seed(2);
  ExpectError(SubmitWith(request, &response), absl::StatusCode::kAlreadyExists,
              "REQUEST_ID_REUSED");
}

TEST_F(QuantizationServiceTest, GetCancelAndDeleteErrors) {
  ExpectError(Get("jobs/x").status(), kInvalid, "INVALID_NAME");
  ExpectError(Get(UnknownJob()).status(), kNotFound, "JOB_NOT_FOUND");
  ExpectError(Cancel("x").status(), kInvalid, "INVALID_NAME");
  ExpectError(Cancel(UnknownJob()).status(), kNotFound, "JOB_NOT_FOUND");
  ExpectError(Delete(""), kInvalid, "INVALID_NAME");
  ExpectError(Delete(UnknownJob()), kNotFound, "JOB_NOT_FOUND");

  const dispatch::v1::Task task = SubmitAndLease();
  ExpectError(Delete(task.job()), absl::StatusCode::kFailedPrecondition, "JOB_NOT_ENDED");
  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  ExpectError(Cancel(task.job()).status(), absl::StatusCode::kFailedPrecondition, "JOB_ENDED");
  EXPECT_TRUE(Delete(task.job()).ok());
  ExpectError(Get(task.job()).status(), kNotFound, "JOB_NOT_FOUND");
}

TEST_F(QuantizationServiceTest, ListJobsErrors) {
  const auto list = [&](const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    return FromGrpcStatus(jobs_->ListJobs(Context().get(), request, response));
  };
  v1::ListJobsResponse response;
  v1::ListJobsRequest negative;
  negative.set_page_size(-1);
  ExpectError(list(negative, &response), kInvalid, "INVALID_REQUEST");
  v1::ListJobsRequest unknown_state;
  unknown_state.add_states(static_cast<v1::JobState>(99));
  ExpectError(list(unknown_state, &response), kInvalid, "INVALID_REQUEST");

  Submit();
  Submit();
  v1::ListJobsRequest page;
  page.set_page_size(1);
  ASSERT_TRUE(list(page, &response).ok());
  page.set_page_token(response.next_page_token());
  EXPECT_TRUE(list(page, &response).ok());
  EXPECT_EQ(response.next_page_token(), "");
  page.add_states(v1::JOB_STATE_QUEUED);
  ExpectError(list(page, &response), kInvalid, "INVALID_REQUEST");
  page.set_page_token("made up");
  ExpectError(list(page, &response), kInvalid, "INVALID_REQUEST");
}

TEST_F(QuantizationServiceTest, WatchJobErrors) {
  std::vector<v1::Job> seen;
  ExpectError(Watch("jobs/x", 0, &seen), kInvalid, "INVALID_NAME");
  ExpectError(Watch(Submit().name(), -1, &seen), kInvalid, "INVALID_REQUEST");
  ExpectError(Watch(UnknownJob(), 0, &seen), kNotFound, "JOB_NOT_FOUND");
  const std::string deleted = Submit().name();
  ASSERT_TRUE(Cancel(deleted).ok());
  ASSERT_TRUE(Delete(deleted).ok());
  ExpectError(Watch(deleted, 0, &seen), kNotFound, "JOB_NOT_FOUND");
  EXPECT_THAT(seen, testing::IsEmpty());
}

TEST_F(QuantizationServiceTest, ReadJobLogErrors) {
  std::string text;
  ExpectError(ReadLog("jobs/x", 0, false, &text), kInvalid, "INVALID_NAME");
  ExpectError(ReadLog(UnknownJob(), 0, false, &text), kNotFound, "JOB_NOT_FOUND");
  const std::string name = Submit().name();
  ExpectError(ReadLog(name, -1, false, &text), absl::StatusCode::kOutOfRange,
              "OFFSET_OUT_OF_RANGE");
  ExpectError(ReadLog(name, 1 << 20, true, &text), absl::StatusCode::kOutOfRange,
              "OFFSET_OUT_OF_RANGE");
  ASSERT_TRUE(ReadLog(name, 0, false, &text).ok());
  EXPECT_THAT(text, testing::HasSubstr("job accepted\n"));
  std::string rest;
  EXPECT_TRUE(ReadLog(name, static_cast<int64_t>(text.size()), false, &rest).ok());
  EXPECT_EQ(rest, "");
}

TEST_F(QuantizationServiceTest, ListWorkersShowsTheFleetById) {
  ASSERT_TRUE(Register(WorkerNamed("worker-2")).ok());
  const dispatch::v1::Task task = SubmitAndLease();
  v1::ListWorkersResponse response;
  ASSERT_TRUE(jobs_->ListWorkers(Context().get(), v1::ListWorkersRequest(), &response).ok());
  ASSERT_EQ(response.workers_size(), 2);
  EXPECT_EQ(response.workers(0).id(), "worker-1");
  EXPECT_EQ(response.workers(0).state(), v1::WORKER_STATE_BUSY);
  EXPECT_EQ(response.workers(0).job(), task.job());
  EXPECT_EQ(response.workers(1).state(), v1::WORKER_STATE_IDLE);
  EXPECT_EQ(response.workers(1).capabilities().device_name(), "Test device");
}

TEST_F(QuantizationServiceTest, WatchShowsEveryStepAndEndsWithTheJob) {
  const dispatch::v1::Task task = SubmitAndLease();
  v1::WatchJobRequest request;
  request.set_name(task.job());
  const auto context = Context();
  auto reader = jobs_->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.job().state(), v1::JOB_STATE_RUNNING);

  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
  beat.mutable_progress()->set_step(3);
  ASSERT_TRUE(Beat(beat).ok());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.job().progress().step(), 3);

  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.job().state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(QuantizationServiceTest, WatchResumesAfterASequence) {
  const std::string name = Submit().name();
  const int64_t last = Cancel(name)->sequence();
  std::vector<v1::Job> seen;
  EXPECT_TRUE(Watch(name, 0, &seen).ok());
  ASSERT_EQ(seen.size(), 1);
  EXPECT_EQ(seen[0].sequence(), last);
  seen.clear();
  EXPECT_TRUE(Watch(name, last - 1, &seen).ok());
  EXPECT_EQ(seen.size(), 1);
  seen.clear();
  EXPECT_TRUE(Watch(name, last, &seen).ok()) << "nothing more will come";
  EXPECT_THAT(seen, testing::IsEmpty());
}

// Many watchers, one of which never reads until the job is over: each one sees the end.
TEST_F(QuantizationServiceTest, NoWatcherMissesTheEnd) {
  constexpr int kWatchers = 200;
  constexpr int kBeats = 30;
  const dispatch::v1::Task task = SubmitAndLease();
  v1::WatchJobRequest request;
  request.set_name(task.job());
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReader<v1::WatchJobResponse>>> readers;
  for (int i = 0; i < kWatchers; ++i) {
    contexts.push_back(Context());
    readers.push_back(jobs_->WatchJob(contexts.back().get(), request));
  }
  for (int i = 1; i <= kBeats; ++i) {
    dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
    beat.mutable_progress()->set_step(i);
    ASSERT_TRUE(Beat(beat).ok());
  }
  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  for (auto& reader : readers) {
    v1::WatchJobResponse response;
    int64_t sequence = 0;
    while (reader->Read(&response)) {
      EXPECT_GT(response.job().sequence(), sequence);
      sequence = response.job().sequence();
    }
    EXPECT_TRUE(reader->Finish().ok());
    EXPECT_EQ(response.job().state(), v1::JOB_STATE_SUCCEEDED);
  }
}

TEST_F(QuantizationServiceTest, WatcherThatLeavesIsForgotten) {
  const dispatch::v1::Task task = SubmitAndLease();
  v1::WatchJobRequest request;
  request.set_name(task.job());
  for (int i = 0; i < 20; ++i) {
    const auto context = Context();
    auto reader = jobs_->WatchJob(context.get(), request);
    v1::WatchJobResponse response;
    ASSERT_TRUE(reader->Read(&response));
    context->TryCancel();
    EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(Complete(SuccessOf(task, "a")).ok());
}

TEST_F(QuantizationServiceTest, LogIsFollowedToTheEnd) {
  const dispatch::v1::Task task = SubmitAndLease();
  std::string followed;
  absl::Status status;
  std::thread follower([&] { status = ReadLog(task.job(), 0, true, &followed); });
  std::string written;
  for (int i = 0; i < 50; ++i) {
    dispatch::v1::HeartbeatRequest beat = HeartbeatOf(task, "worker-1");
    // Some longer than a message of the stream.
    beat.set_log_data(std::string(i % 10 == 0 ? 64 << 10 : 40, static_cast<char>('a' + i % 26)));
    written += beat.log_data();
    ASSERT_TRUE(Beat(beat).ok());
  }
  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  follower.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_NE(followed.find(written), std::string::npos);
  EXPECT_THAT(followed, testing::EndsWith("the job succeeded\n"));
}

TEST_F(QuantizationServiceTest, ShutdownEndsStreamsWithUnavailable) {
  const std::string name = Submit().name();
  std::vector<v1::Job> seen;
  v1::WatchJobRequest request;
  request.set_name(name);
  const auto context = Context();
  auto reader = jobs_->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(reader->Read(&response));

  v1::ReadJobLogRequest log_request;
  log_request.set_name(name);
  log_request.set_follow(true);
  const auto log_context = Context();
  auto log_reader = jobs_->ReadJobLog(log_context.get(), log_request);
  v1::ReadJobLogResponse log_response;
  ASSERT_TRUE(log_reader->Read(&log_response));

  std::thread stopper([this] { server_->Shutdown(); });
  EXPECT_FALSE(reader->Read(&response));
  ExpectError(FromGrpcStatus(reader->Finish()), absl::StatusCode::kUnavailable, "SERVER_SHUTDOWN");
  EXPECT_FALSE(log_reader->Read(&log_response));
  ExpectError(FromGrpcStatus(log_reader->Finish()), absl::StatusCode::kUnavailable,
              "SERVER_SHUTDOWN");
  stopper.join();
}

class BusyServerTest : public ServerFixture {
 protected:
  BusyServerTest() { options_.executor = {.thread_count = 1, .max_queued = 0}; }
};

TEST_F(BusyServerTest, EveryRpcSaysThatTheServerIsBusy) {
  constexpr absl::StatusCode kExhausted = absl::StatusCode::kResourceExhausted;
  v1::SubmitJobRequest submit;
  v1::SubmitJobResponse submitted;
  ExpectError(SubmitWith(submit, &submitted), kExhausted, "SERVER_BUSY");
  const std::string name = UnknownJob();
  ExpectError(Get(name).status(), kExhausted, "SERVER_BUSY");
  std::vector<v1::Job> seen;
  ExpectError(Watch(name, 0, &seen), kExhausted, "SERVER_BUSY");
  std::string text;
  ExpectError(ReadLog(name, 0, true, &text), kExhausted, "SERVER_BUSY");
  ExpectError(Download(std::string(64, 'a'), 0, &text), kExhausted, "SERVER_BUSY");
  ExpectError(Register(WorkerNamed("worker-1")), kExhausted, "SERVER_BUSY");
  ExpectError(LeaseTask("worker-1", kRpcTimeout).status(), kExhausted, "SERVER_BUSY");
}

class LockedStoreTest : public ServerFixture {
 protected:
  LockedStoreTest() { options_.stores.busy_timeout = absl::Milliseconds(50); }
};

TEST_F(LockedStoreTest, StoreThatCannotBeWrittenIsUnavailable) {
  auto other = SqliteConnection::Open(options_.data_folder + "/sasqd.sqlite", absl::Seconds(10));
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->Execute("BEGIN IMMEDIATE").ok());
  v1::SubmitJobRequest request;
  *request.mutable_spec() = MinimalSpec();
  v1::SubmitJobResponse response;
  ExpectError(SubmitWith(request, &response), absl::StatusCode::kUnavailable, "STORE_UNAVAILABLE");
  ASSERT_TRUE((*other)->Execute("ROLLBACK").ok());
  EXPECT_TRUE(SubmitWith(request, &response).ok());
}

}  // namespace
}  // namespace sasq
