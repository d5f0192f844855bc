// The gate of the server over the wire: every RPC with every role, tenants, the audit log, and
// clients that mean no good.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "common/sha256.h"
#include "server/access/rpc_rules.h"
#include "server/access/token.h"
#include "server/access/token_admin.h"
#include "tests/server/server_fixture.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using server::v1::ROLE_ADMIN;
using server::v1::ROLE_SUBMITTER;
using server::v1::ROLE_VIEWER;
using server::v1::ROLE_WORKER;

class SecurityTest : public ServerFixture {
 protected:
  SecurityTest() {
    options_.access.tokens.tokens_file = folder_.path() + "/tokens.json";
    options_.access.audit_log = folder_.path() + "/audit.log";
    for (const Role role : {ROLE_VIEWER, ROLE_SUBMITTER, ROLE_WORKER, ROLE_ADMIN}) {
      tokens_[role] = Add("acme", role);
    }
    other_ = Add("other", ROLE_SUBMITTER);
  }

  std::string Add(const std::string& tenant, Role role) {
    return *AddToken(options_.access.tokens.tokens_file,
                     {tenant, role, "", absl::InfiniteDuration()}, absl::Now());
  }

  static std::unique_ptr<grpc::ClientContext> With(const std::string& token) {
    auto context = Context();
    context->AddMetadata("authorization", "Bearer " + token);
    return context;
  }

  // Any method with an empty request; null: no token.
  absl::Status Call(absl::string_view method, const std::string* token) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    const auto context = token == nullptr ? Context() : With(*token);
    const grpc::Slice empty("");
    const auto call = stub.PrepareUnaryCall(context.get(), absl::StrCat("/", method),
                                            grpc::ByteBuffer(&empty, 1), &queue);
    grpc::ByteBuffer response;
    grpc::Status status;
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    return FromGrpcStatus(status);
  }

  absl::StatusOr<v1::Job> SubmitAs(const std::string& token) {
    v1::SubmitJobRequest request;
    *request.mutable_spec() = MinimalSpec();
    v1::SubmitJobResponse response;
    const absl::Status status =
        FromGrpcStatus(jobs_->SubmitJob(With(token).get(), request, &response));
    if (!status.ok()) return status;
    return response.job();
  }

  absl::Status GetAs(const std::string& token, const std::string& name) {
    v1::GetJobRequest request;
    request.set_name(name);
    v1::GetJobResponse response;
    return FromGrpcStatus(jobs_->GetJob(With(token).get(), request, &response));
  }

  std::string AuditLog() { return *ReadFile(options_.access.audit_log, 1 << 20); }

  std::map<Role, std::string> tokens_;
  std::string other_;
};

TEST_F(SecurityTest, EveryRpcAsksForTheRolesOfTheTable) {
  for (const RpcRule& rule : RpcRules()) {
    const absl::Status missing = Call(rule.method, nullptr);
    EXPECT_EQ(missing.code(), absl::StatusCode::kUnauthenticated) << rule.method << missing;
    EXPECT_EQ(ReasonOf(missing), "TOKEN_MISSING") << rule.method;
    for (const auto& [role, token] : tokens_) {
      const absl::Status status = Call(rule.method, &token);
      const bool was_denied = status.code() == absl::StatusCode::kPermissionDenied;
      EXPECT_EQ(was_denied, !MayCall(role, rule.rpc))
          << rule.method << " " << RoleName(role) << " " << status;
      EXPECT_EQ(ReasonOf(status) == "ROLE_DENIED", was_denied) << rule.method;
      EXPECT_NE(status.code(), absl::StatusCode::kUnauthenticated) << rule.method;
    }
  }
}

TEST_F(SecurityTest, WrongTokensAreUnauthenticated) {
  Token wrong = *ParseToken(tokens_[ROLE_ADMIN]);
  wrong.secret = NewToken().secret;
  for (const std::string& token : {wrong.ToString(), NewToken().ToString(), std::string("x")}) {
    for (const RpcRule& rule : RpcRules()) {
      const absl::Status status = Call(rule.method, &token);
      EXPECT_TRUE(ReasonOf(status) == "TOKEN_INVALID" ||
                  ReasonOf(status) == "TOO_MANY_WRONG_TOKENS")
          << rule.method << " " << status;
    }
  }
}

TEST_F(SecurityTest, HealthNeedsNoToken) {
  EXPECT_EQ(Call("grpc.health.v1.Health/Check", nullptr).code(), absl::StatusCode::kOk);
}

TEST_F(SecurityTest, StreamsAreOfTheTenant) {
  const absl::StatusOr<v1::Job> job = SubmitAs(tokens_[ROLE_SUBMITTER]);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->tenant(), "acme");
  EXPECT_TRUE(GetAs(tokens_[ROLE_VIEWER], job->name()).ok());
  EXPECT_EQ(ReasonOf(GetAs(other_, job->name())), "JOB_NOT_FOUND");

  v1::WatchJobRequest watch;
  watch.set_name(job->name());
  const auto others = With(other_);
  auto refused = jobs_->WatchJob(others.get(), watch);
  v1::WatchJobResponse response;
  EXPECT_FALSE(refused->Read(&response));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(refused->Finish())), "JOB_NOT_FOUND");
  const auto own = With(tokens_[ROLE_VIEWER]);
  auto watched = jobs_->WatchJob(own.get(), watch);
  ASSERT_TRUE(watched->Read(&response));
  EXPECT_EQ(response.job().name(), job->name());
  own->TryCancel();
  watched->Finish();

  v1::ReadJobLogRequest log;
  log.set_name(job->name());
  const auto log_context = With(other_);
  auto reader = jobs_->ReadJobLog(log_context.get(), log);
  v1::ReadJobLogResponse lines;
  EXPECT_FALSE(reader->Read(&lines));
  EXPECT_EQ(ReasonOf(FromGrpcStatus(reader->Finish())), "JOB_NOT_FOUND");
}

TEST_F(SecurityTest, ChangesAreAudited) {
  const std::string id = ParseToken(tokens_[ROLE_SUBMITTER])->id;
  const absl::StatusOr<v1::Job> job = SubmitAs(tokens_[ROLE_SUBMITTER]);
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_TRUE(GetAs(tokens_[ROLE_VIEWER], job->name()).ok());
  EXPECT_EQ(SubmitAs(tokens_[ROLE_VIEWER]).status().code(), absl::StatusCode::kPermissionDenied);
  v1::CancelJobRequest cancel;
  cancel.set_name(job->name());
  v1::CancelJobResponse cancelled;
  jobs_->CancelJob(With(other_).get(), cancel, &cancelled);
  server_->Shutdown();
  const std::string log = AuditLog();
  EXPECT_THAT(log, testing::HasSubstr(absl::StrCat(
                       "event=audit token=", id,
                       " tenant=acme role=submitter method=sasq.v1.QuantizationService/SubmitJob "
                       "resource=",
                       job->name(), " outcome=OK reason=\"\" peer=ipv4:127.0.0.1:")));
  EXPECT_THAT(log,
              testing::HasSubstr("role=viewer method=sasq.v1.QuantizationService/SubmitJob "
                                 "resource=\"\" outcome=PERMISSION_DENIED reason=ROLE_DENIED"));
  EXPECT_THAT(log, testing::HasSubstr("tenant=other role=submitter "
                                      "method=sasq.v1.QuantizationService/CancelJob"));
  EXPECT_THAT(log, testing::HasSubstr("outcome=NOT_FOUND reason=JOB_NOT_FOUND"));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("GetJob")));
  for (const auto& [role, token] : tokens_) {
    EXPECT_THAT(log, testing::Not(testing::HasSubstr(ParseToken(token)->secret)));
  }
}

TEST_F(SecurityTest, RevokedTokensAreRefusedWithinSeconds) {
  const std::string& token = tokens_[ROLE_VIEWER];
  EXPECT_EQ(GetAs(token, "x").code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(
      ExpireToken(options_.access.tokens.tokens_file, ParseToken(token)->id, absl::Now()).ok());
  absl::Status status;
  do {
    status = GetAs(token, "x");
  } while (status.code() == absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReasonOf(status), "TOKEN_EXPIRED");
}

TEST_F(SecurityTest, GiantMessagesAndHeadersAreRefused) {
  v1::SubmitJobRequest request;
  request.mutable_spec()->set_display_name(std::string(27 << 20, 'x'));
  v1::SubmitJobResponse response;
  const grpc::Status giant =
      jobs_->SubmitJob(With(tokens_[ROLE_SUBMITTER]).get(), request, &response);
  EXPECT_EQ(giant.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED) << giant.error_message();
  const auto context = Context();
  context->AddMetadata("authorization", std::string(64 << 10, 'x'));
  v1::GetJobResponse job;
  EXPECT_FALSE(jobs_->GetJob(context.get(), v1::GetJobRequest(), &job).ok());
  // The offender's connection may be closed, which the next call on it may meet.
  absl::StatusOr<v1::Job> afterwards = SubmitAs(tokens_[ROLE_SUBMITTER]);
  if (absl::IsUnavailable(afterwards.status())) afterwards = SubmitAs(tokens_[ROLE_SUBMITTER]);
  EXPECT_TRUE(afterwards.ok()) << "the server lives: " << afterwards.status();
}

TEST_F(SecurityTest, ThousandsOfUnfinishedStreamsLeaveTheServerAlive) {
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientWriter<v1::UploadBlobRequest>>> streams;
  v1::UploadBlobResponse ignored;
  for (int i = 0; i < 2'000; ++i) {  // opened, and then nothing is said
    contexts.push_back(With(tokens_[ROLE_SUBMITTER]));
    streams.push_back(artifacts_->UploadBlob(contexts.back().get(), &ignored));
  }
  // On a connection of its own: this one's streams are used up.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  jobs_ = v1::QuantizationService::NewStub(grpc::CreateCustomChannel(
      absl::StrCat("127.0.0.1:", server_->port()), grpc::InsecureChannelCredentials(), arguments));
  EXPECT_TRUE(SubmitAs(tokens_[ROLE_SUBMITTER]).ok());
  for (size_t i = 0; i < streams.size(); ++i) {
    contexts[i]->TryCancel();
    streams[i]->Finish();
  }
}

TEST(SecurityOptionsTest, AddressesThatOthersReachWantTlsAndTokens) {
  const TemporaryFolder folder;
  Server::Options options;
  options.data_folder = folder.path();
  options.metrics_address = "";
  options.listen_address = "0.0.0.0:0";
  const auto message = [&options] {
    return std::string(Server::Create(options).status().message());
  };
  EXPECT_THAT(message(), testing::HasSubstr("no --tls_cert and no --tokens"));
  options.access.tokens.tokens_file = folder.path() + "/tokens.json";
  EXPECT_THAT(message(), testing::HasSubstr("no --tls_cert: anyone on the way could read tokens"));
  options.access.tokens.tokens_file.clear();
  options.tls.certificate = "cert.pem";
  EXPECT_THAT(message(), testing::HasSubstr("no --tokens"));
  options.access.tokens.tokens_file = folder.path() + "/tokens.json";
  options.metrics_address = "0.0.0.0:0";
  EXPECT_THAT(message(), testing::HasSubstr("the page of metrics"));
}

TEST(SecurityOptionsTest, SaysWhichFileIsWrong) {
  const TemporaryFolder folder;
  Server::Options options;
  options.data_folder = folder.path() + "/data";
  options.metrics_address = "";
  options.listen_address = "127.0.0.1:0";
  options.access.tokens.tokens_file = folder.path() + "/tokens.json";
  EXPECT_TRUE(absl::IsNotFound(Server::Create(options).status()));
  options.access.tokens.tokens_file.clear();
  options.tls.certificate = folder.path() + "/cert.pem";
  EXPECT_TRUE(absl::IsInvalidArgument(Server::Create(options).status())) << "no key";
  options.tls.key = folder.path() + "/key.pem";
  const absl::Status status = Server::Create(options).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("/cert.pem"));
  options.tls = TlsFiles();
  options.tls.authorities = folder.path() + "/ca.pem";
  EXPECT_TRUE(absl::IsInvalidArgument(Server::Create(options).status()));
}

}  // namespace
}  // namespace sasq
