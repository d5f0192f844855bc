// The server as a whole: health, reflection, metrics, addresses, shutdown.
#include "server/server.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/proto_buffer_reader.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "common/answer_headers.h"
#include "common/metrics.h"
#include "tests/server/server_fixture.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using ServerTest = ServerFixture;
using ServerMetricsTest = MeteredServerFixture;

// A unary call with hand-made bytes: stubs of the health service are not part of gRPC's libraries.
grpc::Status RawCall(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     const std::string& request, std::string* response) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kRpcTimeout));
  grpc::CompletionQueue queue;
  const grpc::Slice slice(request);
  const grpc::ByteBuffer sent(&slice, 1);
  grpc::ByteBuffer received;
  grpc::Status status;
  auto call = stub.PrepareUnaryCall(&context, method, sent, &queue);
  call->StartCall();
  call->Finish(&received, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  grpc::Slice single;
  if (status.ok() && received.DumpToSingleSlice(&single).ok()) {
    response->assign(reinterpret_cast<const char*>(single.begin()), single.size());
  }
  return status;
}

TEST_F(ServerTest, EveryServiceIsHealthy) {
  // grpc.health.v1.HealthCheckRequest{service = 1}; the answer is {status = 1: SERVING}.
  for (const std::string service : {"", "sasq.v1.QuantizationService", "sasq.v1.ArtifactService",
                                    "sasq.dispatch.v1.DispatchService"}) {
    std::string request;
    if (!service.empty()) {
      request = std::string("\x0a") + static_cast<char>(service.size()) + service;
    }
    std::string response;
    const grpc::Status status =
        RawCall(channel_, "/grpc.health.v1.Health/Check", request, &response);
    EXPECT_TRUE(status.ok()) << service << ": " << status.error_message();
    EXPECT_EQ(response, "\x08\x01") << service;
  }
  std::string response;
  EXPECT_EQ(RawCall(channel_, "/grpc.health.v1.Health/Check", "\x0a\x01x", &response).error_code(),
            grpc::StatusCode::NOT_FOUND);
}

TEST_F(ServerTest, EveryAnswerTellsVersionAndClock) {
  v1::GetJobRequest wrong;
  wrong.set_name("none");
  v1::GetJobResponse unused;
  const auto context = Context();
  const absl::Time before = absl::Now();
  EXPECT_EQ(jobs_->GetJob(context.get(), wrong, &unused).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  const auto header = [&context](const char* name) {
    const auto& headers = context->GetServerInitialMetadata();
    const auto found = headers.find(name);
    return found == headers.end() ? "" : std::string(found->second.data(), found->second.size());
  };
  EXPECT_EQ(header(kVersionHeader), Version());
  absl::Time time;
  std::string error;
  ASSERT_TRUE(absl::ParseTime(kDateHeaderFormat, header(kDateHeader), &time, &error)) << error;
  EXPECT_GE(time, before - absl::Seconds(1));
  EXPECT_LE(time, absl::Now());
}

TEST_F(ServerTest, ReflectionListsTheServices) {
  // ServerReflectionRequest{list_services = 7: ""}, on a stream of one request.
  grpc::GenericStub stub(channel_);
  const auto context = Context();
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  auto call = stub.PrepareCall(
      context.get(), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  queue.Next(&tag, &ok);
  const grpc::Slice slice(std::string("\x3a\x00", 2));
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  queue.Next(&tag, &ok);
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  queue.Next(&tag, &ok);
  ASSERT_TRUE(ok);
  grpc::Slice single;
  ASSERT_TRUE(answer.DumpToSingleSlice(&single).ok());
  const std::string names(reinterpret_cast<const char*>(single.begin()), single.size());
  EXPECT_THAT(names, testing::AllOf(testing::HasSubstr("sasq.v1.QuantizationService"),
                                    testing::HasSubstr("sasq.v1.ArtifactService"),
                                    testing::HasSubstr("sasq.dispatch.v1.DispatchService")));
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  EXPECT_TRUE(status.ok());
}

TEST_F(ServerMetricsTest, TellWhatHappened) {
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Complete(SuccessOf(task, "a")).ok());
  Submit();
  EXPECT_FALSE(Get("jobs/x").ok());
  std::string bytes;
  ASSERT_TRUE(Download(GetArtifact(task.job())->blobs(0).sha256(), 0, &bytes).ok());

  EXPECT_EQ(Metric("sasq_jobs_submitted_total"), "2");
  EXPECT_EQ(Metric("sasq_job_attempts_total"), "1");
  EXPECT_EQ(Metric("sasq_lease_expiries_total"), "0");
  EXPECT_EQ(Metric(R"(sasq_jobs_finished_total{outcome="succeeded",reason="none"})"), "1");
  EXPECT_EQ(Metric(R"(sasq_rpcs_total{code="INVALID_ARGUMENT",)"
                   R"(method="sasq.v1.QuantizationService/GetJob"})"),
            "1");
  EXPECT_EQ(Metric(R"(sasq_job_run_seconds_count{outcome="succeeded"})"), "1");
  EXPECT_EQ(Metric(R"(sasq_jobs_finished_total{outcome="failed",reason="diverged"})"), "0");
  EXPECT_EQ(Metric(R"(sasq_blob_bytes_total{operation="download"})"), absl::StrCat(bytes.size()));
  EXPECT_NE(Metric(R"(sasq_blob_bytes_total{operation="publish"})"), "0");
  EXPECT_NE(Metric("sasq_blob_limit_bytes"), "0");
  EXPECT_NE(Metric("sasq_data_disk_free_bytes"), "0");
  EXPECT_NE(Metric(R"(sasq_store_operation_seconds_count{operation="insert"})"), "");
  EXPECT_NE(Metric("sasq_blob_stored_bytes"), "0");
  EXPECT_NE(Metrics().find("sasq_build_info{program=\"sasqd\""), std::string::npos);
  // The gauges of the store follow within a tick.
  while (Metric(R"(sasq_jobs{state="queued"})") != "1" ||
         Metric(R"(sasq_jobs{state="succeeded"})") != "1" ||
         Metric(R"(sasq_queued_jobs{device="any"})") != "1" ||
         Metric(R"(sasq_queued_jobs_without_worker{device="any"})") != "0" ||
         Metric(R"(sasq_workers{device="cpu",state="idle"})") != "1") {
  }
}

TEST_F(ServerMetricsTest, OpenStreamsAreCounted) {
  const std::string gauge =
      R"(sasq_rpc_streams_open{method="sasq.v1.QuantizationService/WatchJob"})";
  v1::WatchJobRequest request;
  request.set_name(Submit().name());
  const auto context = Context();
  auto reader = jobs_->WatchJob(context.get(), request);
  v1::WatchJobResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(Metric(gauge), "1");
  context->TryCancel();
  EXPECT_FALSE(reader->Finish().ok());
  while (Metric(gauge) != "0") {
  }
}

TEST_F(ServerMetricsTest, PromtoolFindsNoFault) {
  if (std::system("promtool --version > /dev/null 2>&1") != 0) {
    GTEST_SKIP() << "promtool is not installed (apt-get install prometheus)";
  }
  const dispatch::v1::Task task = SubmitAndLease();
  ASSERT_TRUE(Complete(FailureOf(task, v1::JOB_FAILURE_REASON_DIVERGED)).ok());
  const std::string page = folder_.path() + "/metrics";
  std::ofstream(page) << Metrics();
  FILE* const pipe = ::popen(("promtool check metrics < " + page + " 2>&1").c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string output;
  char buffer[512];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  EXPECT_EQ(::pclose(pipe), 0) << output;
  EXPECT_EQ(output, "");
}

TEST_F(ServerTest, ShutdownLetsCallsInFlightFinishAndRefusesLaterOnes) {
  std::vector<std::thread> clients;
  std::vector<absl::Status> statuses(8);
  for (absl::Status& status : statuses) {
    clients.emplace_back([this, &status] {
      v1::SubmitJobRequest request;
      *request.mutable_spec() = MinimalSpec();
      v1::SubmitJobResponse response;
      do {
        status = SubmitWith(request, &response);
      } while (status.ok());
    });
  }
  server_->Shutdown();
  for (std::thread& client : clients) client.join();
  for (const absl::Status& status : statuses) {
    // CANCELLED is gRPC's own word for a call that arrived while its server closed and that no
    // handler ever saw.
    EXPECT_TRUE(absl::IsUnavailable(status) || absl::IsCancelled(status)) << status;
  }
  server_->Shutdown();
}

TEST_F(ServerTest, SecondServerOnTheSameFolderIsRefused) {
  const absl::Status status = Server::Create(options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("in use by another sasqd"));
}

TEST_F(ServerMetricsTest, TakenPortsAreErrors) {
  Server::Options other = options_;
  other.data_folder = folder_.path() + "/other";
  other.listen_address = absl::StrCat("127.0.0.1:", server_->port());
  absl::Status status = Server::Create(other).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--listen_address"));
  other.listen_address = "127.0.0.1:0";
  other.metrics_address = absl::StrCat("127.0.0.1:", server_->metrics_port());
  status = Server::Create(other).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--metrics_address"));
}

TEST(ServerOptionsTest, AddressesThatOthersReachWantInsecure) {
  const TemporaryFolder folder;
  Server::Options options;
  options.data_folder = folder.path();
  options.metrics_address = "";
  for (const char* address : {"0.0.0.0:0", "[::]:0", "localhost.example.com:0"}) {
    options.listen_address = address;
    const absl::Status status = Server::Create(options).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("--insecure"));
  }
  options.listen_address = "0.0.0.0:0";
  options.insecure = true;
  EXPECT_TRUE(Server::Create(options).ok());
}

TEST(ServerOptionsTest, LeaseIsLongerThanItsHeartbeats) {
  const TemporaryFolder folder;
  Server::Options options;
  options.data_folder = folder.path();
  options.leases.heartbeat_interval = absl::Seconds(20);
  EXPECT_TRUE(absl::IsInvalidArgument(Server::Create(options).status()));
}

}  // namespace
}  // namespace sasq
