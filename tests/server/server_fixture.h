// A whole server in this process, on a port of its own, with real gRPC in between.
#ifndef SASQ_TESTS_SERVER_SERVER_FIXTURE_H_
#define SASQ_TESTS_SERVER_SERVER_FIXTURE_H_

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/rpc_status.h"
#include "sasq/dispatch/v1/dispatch_service.grpc.pb.h"
#include "sasq/v1/artifact_service.grpc.pb.h"
#include "sasq/v1/quantization_service.grpc.pb.h"
#include "server/server.h"
#include "server/timestamps.h"
#include "tests/server/http_get.h"
#include "tests/server/test_jobs.h"
#include "tests/support/temporary_folder.h"

namespace sasq {

// An RPC that does not come back by then fails its test. Generous: sanitizers and busy machines.
inline constexpr absl::Duration kRpcTimeout = absl::Seconds(60);

class ServerFixture : public testing::Test {
 protected:
  void SetUp() override { StartServer(); }

  void StartServer() {
    options_.listen_address = "127.0.0.1:0";
    // The page of metrics takes two seconds to close, so only those who read it have one.
    options_.metrics_address = with_metrics_ ? "127.0.0.1:0" : "";
    options_.data_folder = folder_.path() + "/data";
    absl::StatusOr<std::unique_ptr<Server>> server = Server::Create(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->port()),
                                   grpc::InsecureChannelCredentials());
    jobs_ = v1::QuantizationService::NewStub(channel_);
    artifacts_ = v1::ArtifactService::NewStub(channel_);
    dispatch_ = dispatch::v1::DispatchService::NewStub(channel_);
  }

  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(absl::ToChronoTime(absl::Now() + kRpcTimeout));
    return context;
  }

  static void ExpectError(const absl::Status& status, absl::StatusCode code,
                          absl::string_view reason) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(ReasonOf(status), reason) << status;
    EXPECT_FALSE(status.message().empty());
    // Every INVALID_ARGUMENT says which fields are wrong.
    if (code == absl::StatusCode::kInvalidArgument) {
      EXPECT_FALSE(FieldViolationsOf(status).empty()) << status;
    }
  }

  absl::Status SubmitWith(const v1::SubmitJobRequest& request, v1::SubmitJobResponse* response) {
    return FromGrpcStatus(jobs_->SubmitJob(Context().get(), request, response));
  }

  v1::Job Submit(const v1::JobSpec& spec = MinimalSpec()) {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = spec;
    v1::SubmitJobResponse response;
    const absl::Status status = SubmitWith(request, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.job();
  }

  absl::StatusOr<v1::Job> Get(const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::GetJobResponse response;
    const absl::Status status = FromGrpcStatus(jobs_->GetJob(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response.job();
  }

  absl::StatusOr<v1::Job> Cancel(const std::string& name) {
    v1::CancelJobRequest request;
    request.set_name(name);
    v1::CancelJobResponse response;
    const absl::Status status =
        FromGrpcStatus(jobs_->CancelJob(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response.job();
  }

  absl::Status Delete(const std::string& name) {
    v1::DeleteJobRequest request;
    request.set_name(name);
    v1::DeleteJobResponse response;
    return FromGrpcStatus(jobs_->DeleteJob(Context().get(), request, &response));
  }

  absl::Status Watch(const std::string& name, int64_t after_sequence, std::vector<v1::Job>* seen) {
    v1::WatchJobRequest request;
    request.set_name(name);
    request.set_after_sequence(after_sequence);
    const auto context = Context();
    auto reader = jobs_->WatchJob(context.get(), request);
    v1::WatchJobResponse response;
    while (reader->Read(&response)) seen->push_back(response.job());
    return FromGrpcStatus(reader->Finish());
  }

  // The log from `offset` on, as one text; checks that offsets fit together.
  absl::Status ReadLog(const std::string& name, int64_t offset, bool follow, std::string* text) {
    v1::ReadJobLogRequest request;
    request.set_name(name);
    request.set_offset(offset);
    request.set_follow(follow);
    const auto context = Context();
    auto reader = jobs_->ReadJobLog(context.get(), request);
    v1::ReadJobLogResponse response;
    while (reader->Read(&response)) {
      EXPECT_EQ(response.offset(), offset + static_cast<int64_t>(text->size()));
      EXPECT_LE(response.data().size(), 64u << 10);
      text->append(response.data());
    }
    return FromGrpcStatus(reader->Finish());
  }

  absl::StatusOr<v1::Artifact> GetArtifact(const std::string& name) {
    v1::GetArtifactRequest request;
    request.set_name(name);
    v1::GetArtifactResponse response;
    const absl::Status status =
        FromGrpcStatus(artifacts_->GetArtifact(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response.artifact();
  }

  absl::Status Download(const std::string& sha256, int64_t offset, std::string* bytes) {
    v1::DownloadBlobRequest request;
    request.set_sha256(sha256);
    request.set_offset(offset);
    const auto context = Context();
    auto reader = artifacts_->DownloadBlob(context.get(), request);
    v1::DownloadBlobResponse response;
    while (reader->Read(&response)) {
      EXPECT_EQ(response.offset(), offset + static_cast<int64_t>(bytes->size()));
      EXPECT_LE(response.data().size(), 256u << 10);
      bytes->append(response.data());
    }
    return FromGrpcStatus(reader->Finish());
  }

  absl::Status Register(const dispatch::v1::RegisterWorkerRequest& request) {
    dispatch::v1::RegisterWorkerResponse response;
    return FromGrpcStatus(dispatch_->RegisterWorker(Context().get(), request, &response));
  }

  absl::StatusOr<dispatch::v1::LeaseTaskResponse> LeaseTask(
      const std::string& worker, absl::Duration wait, const std::string& instance = "instance-1") {
    dispatch::v1::LeaseTaskRequest request;
    request.set_worker_id(worker);
    request.set_instance_id(instance);
    SetDuration(wait, request.mutable_wait());
    dispatch::v1::LeaseTaskResponse response;
    const absl::Status status =
        FromGrpcStatus(dispatch_->LeaseTask(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response;
  }

  absl::StatusOr<dispatch::v1::Directive> Beat(const dispatch::v1::HeartbeatRequest& request) {
    dispatch::v1::HeartbeatResponse response;
    const absl::Status status =
        FromGrpcStatus(dispatch_->Heartbeat(Context().get(), request, &response));
    if (!status.ok()) return status;
    return response.directive();
  }

  absl::Status Complete(const dispatch::v1::CompleteTaskRequest& request) {
    dispatch::v1::CompleteTaskResponse response;
    return FromGrpcStatus(dispatch_->CompleteTask(Context().get(), request, &response));
  }

  // A new job, leased by worker-1.
  dispatch::v1::Task SubmitAndLease() {
    Submit();
    EXPECT_TRUE(Register(WorkerNamed("worker-1")).ok());
    const auto response = LeaseTask("worker-1", kRpcTimeout);
    EXPECT_TRUE(response.ok() && response->has_task()) << response.status();
    return response.ok() ? response->task() : dispatch::v1::Task();
  }

  // The page of metrics, and one value on it ("" if there is none), such as
  // `sasq_jobs{state="queued"}`.
  std::string Metrics() { return HttpGet(server_->metrics_port(), "/metrics"); }
  std::string Metric(const std::string& series) {
    for (absl::string_view line : absl::StrSplit(Metrics(), '\n')) {
      if (absl::ConsumePrefix(&line, series + " ")) return std::string(line);
    }
    return "";
  }

  // Waits until the server holds `count` polls, as its metrics say.
  void WaitForHeldPolls(absl::string_view count) {
    while (Metric("sasq_lease_polls_held") != count) {
    }
  }

  bool with_metrics_ = false;  // set in the constructor
  TemporaryFolder folder_;
  Server::Options options_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::QuantizationService::Stub> jobs_;
  std::unique_ptr<v1::ArtifactService::Stub> artifacts_;
  std::unique_ptr<dispatch::v1::DispatchService::Stub> dispatch_;
};

class MeteredServerFixture : public ServerFixture {
 protected:
  MeteredServerFixture() { with_metrics_ = true; }
};

}  // namespace sasq

#endif  // SASQ_TESTS_SERVER_SERVER_FIXTURE_H_
