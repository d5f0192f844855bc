// The program itself: kill -9, restart, orderly stop, usage errors.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tests/server/server_fixture.h"

namespace sasq {
namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A sasqd as a process of its own. Killed with the object.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const std::string& stderr_path) {
    std::vector<char*> argv = {const_cast<char*>(SASQD_PATH)};
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int fd = ::open(stderr_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(fd, STDERR_FILENO);
    ::execv(SASQD_PATH, argv.data());
    ::_exit(127);
  }
  ~Process() {
    if (pid_ > 0) Stop(SIGKILL);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Sends a signal (0: none) and waits for the end; the exit code, or minus the signal.
  int Stop(int signal) {
    if (signal != 0) ::kill(pid_, signal);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  bool Runs() const { return ::kill(pid_, 0) == 0; }

 private:
  pid_t pid_ = -1;
};

class SasqdTest : public ServerFixture {
 protected:
  void SetUp() override { StartProcess(); }

  std::vector<std::string> Arguments() const {
    return {"--data_dir",  folder_.path() + "/data", "--listen_address",
            "127.0.0.1:0", "--metrics_address",      "127.0.0.1:0",
            "--port_file", folder_.path() + "/ports"};
  }

  void StartProcess() {
    const std::string ports = folder_.path() + "/ports";
    std::filesystem::remove(ports);
    process_ = std::make_unique<Process>(Arguments(), folder_.path() + "/stderr");
    while (!std::filesystem::exists(ports)) std::this_thread::yield();
    const nlohmann::json json = nlohmann::json::parse(ReadAll(ports));
    EXPECT_GT(json.at("metrics").get<int>(), 0);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", json.at("grpc").get<int>()),
                                   grpc::InsecureChannelCredentials());
    jobs_ = v1::QuantizationService::NewStub(channel_);
    artifacts_ = v1::ArtifactService::NewStub(channel_);
    dispatch_ = dispatch::v1::DispatchService::NewStub(channel_);
  }

  std::unique_ptr<Process> process_;
};

TEST_F(SasqdTest, AcceptedJobsSurviveKill9) {
  std::vector<std::string> names;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) names.push_back(Submit().name());
    EXPECT_EQ(process_->Stop(SIGKILL), -SIGKILL);
    StartProcess();
    for (const std::string& name : names) {
      const absl::StatusOr<v1::Job> job = Get(name);
      ASSERT_TRUE(job.ok()) << job.status();
      EXPECT_EQ(job->state(), v1::JOB_STATE_QUEUED);
    }
  }
}

// Clients submit without a pause while the server is killed: what was answered must be there, and
// with its request id a call that was not answered makes one job, not two.
TEST_F(SasqdTest, KillAtAnyMomentLosesAndDoublesNothing) {
  constexpr int kClients = 4;
  std::vector<std::thread> clients;
  std::vector<std::vector<std::string>> answered(kClients);
  std::vector<std::string> unanswered(kClients);
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&, c] {
      for (int i = 0;; ++i) {
        v1::SubmitJobRequest request;
        *request.mutable_spec() = MinimalSpec();
        request.set_request_id(absl::StrCat("client ", c, " call ", i));
        v1::SubmitJobResponse response;
        if (!SubmitWith(request, &response).ok()) {
          unanswered[c] = request.request_id();
          return;
        }
        answered[c].push_back(response.job().name());
      }
    });
  }
  // Into the middle of it: after some jobs are there.
  v1::ListJobsResponse list;
  while (list.jobs_size() < 20) {
    ASSERT_TRUE(jobs_->ListJobs(Context().get(), v1::ListJobsRequest(), &list).ok());
  }
  process_->Stop(SIGKILL);
  for (std::thread& client : clients) client.join();

  StartProcess();
  size_t count = 0;
  for (int c = 0; c < kClients; ++c) {
    for (const std::string& name : answered[c]) EXPECT_TRUE(Get(name).ok()) << name;
    v1::SubmitJobRequest request;
    *request.mutable_spec() = MinimalSpec();
    request.set_request_id(unanswered[c]);
    v1::SubmitJobResponse first;
    v1::SubmitJobResponse second;
    ASSERT_TRUE(SubmitWith(request, &first).ok());
    ASSERT_TRUE(SubmitWith(request, &second).ok());
    EXPECT_EQ(first.job().name(), second.job().name());
    count += answered[c].size() + 1;
  }
  v1::ListJobsRequest all;
  all.set_page_size(1000);
  size_t listed = 0;
  do {
    ASSERT_TRUE(jobs_->ListJobs(Context().get(), all, &list).ok());
    listed += static_cast<size_t>(list.jobs_size());
    all.set_page_token(list.next_page_token());
  } while (!all.page_token().empty());
  EXPECT_EQ(listed, count);
}

TEST_F(SasqdTest, AttemptGoesOnOverKill9) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Beat(HeartbeatOf(task, "worker-1")).ok());
  process_->Stop(SIGKILL);
  StartProcess();
  ASSERT_TRUE(Register(WorkerNamed("worker-1")).ok());
  ASSERT_TRUE(Beat(HeartbeatOf(task, "worker-1")).ok());
  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  process_->Stop(SIGKILL);
  StartProcess();
  const absl::StatusOr<v1::Job> job = Get(task.job());
  EXPECT_EQ(job->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(job->attempt_count(), 1);
  std::string bytes;
  EXPECT_TRUE(Download(GetArtifact(job->artifact())->blobs(0).sha256(), 0, &bytes).ok());
  EXPECT_EQ(bytes, "scales.safetensors of a");
  EXPECT_TRUE(Complete(SuccessOf(task, "a")).ok()) << "a repeat is OK after a restart, too";
}

TEST_F(SasqdTest, StopsInOrderOnSigterm) {
  v1::WatchJobRequest request;
  request.set_name(Submit().name());
  const auto context = Context();
  auto reader = jobs_->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(process_->Stop(SIGTERM), 0);
  EXPECT_FALSE(reader->Read(&response));
  ExpectError(FromGrpcStatus(reader->Finish()), absl::StatusCode::kUnavailable, "SERVER_SHUTDOWN");
  StartProcess();
  EXPECT_EQ(process_->Stop(SIGINT), 0);
}

TEST_F(SasqdTest, SecondProcessOnTheFolderIsRefused) {
  Process second(Arguments(), folder_.path() + "/stderr2");
  EXPECT_EQ(second.Stop(0), 5);
  EXPECT_THAT(ReadAll(folder_.path() + "/stderr2"),
              testing::HasSubstr("is in use by another sasqd (process "));
  EXPECT_TRUE(process_->Runs());
}

TEST_F(SasqdTest, UsageErrorsExitWith2AndSayWhatIsWanted) {
  const std::string errors = folder_.path() + "/stderr2";
  const auto run = [&](const std::vector<std::string>& arguments) {
    return Process(arguments, errors).Stop(0);
  };
  EXPECT_EQ(run({}), 2);
  EXPECT_THAT(ReadAll(errors), testing::HasSubstr("--data_dir"));
  const std::string data = folder_.path() + "/data2";
  EXPECT_EQ(run({"--data_dir", data, "--lease_duration", "30"}), 2);
  EXPECT_THAT(ReadAll(errors), testing::HasSubstr("30s"));
  EXPECT_EQ(run({"--data_dir", data, "--listen_address", "0.0.0.0:0"}), 2);
  EXPECT_THAT(ReadAll(errors), testing::HasSubstr("--insecure"));
  EXPECT_EQ(run({"--data_dir", data, "--log_level", "loud"}), 2);
  EXPECT_THAT(ReadAll(errors), testing::HasSubstr("want info"));
  EXPECT_EQ(run({"--data_dir", "/proc/no"}), 5);
}

}  // namespace
}  // namespace sasq
