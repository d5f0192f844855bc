// `sasq doctor` and `sasq top` against a scripted service, their outputs being pipes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/answer_headers.h"
#include "common/metrics.h"
#include "common/rpc_status.h"
#include "tests/client/fake_service.h"
#include "tests/client/program.h"

namespace sasq::testing {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramDoctorTest : public ::testing::Test {
 protected:
  ProgramDoctorTest() { Introduce(Version(), absl::ZeroDuration()); }

  // What the service says of itself from now on. `ahead`: its clock.
  void Introduce(absl::string_view version, absl::Duration ahead) {
    service_.SetHeaders([version = std::string(version), ahead] {
      return std::map<std::string, std::string>{
          {kVersionHeader, version},
          {kDateHeader,
           absl::FormatTime(kDateHeaderFormat, absl::Now() + ahead, absl::UTCTimeZone())}};
    });
  }
  ProgramResult Run(std::vector<std::string> arguments) const {
    return RunProgram(std::move(arguments), {{"SASQ_ENDPOINT", service_.endpoint()}});
  }

  const std::string name_ = JobName("abc123");
  FakeService service_;
};

TEST_F(ProgramDoctorTest, SaysThatAllIsWell) {
  const ProgramResult run = Run({"doctor"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out,
              ContainsRegex("ok +settings +127.0.0.1:[0-9]+, without TLS, without a token"));
  EXPECT_THAT(run.out, ContainsRegex("ok +server +serves, answered in "));
  EXPECT_THAT(run.out, ContainsRegex("ok +version +[0-9.]+, here and there"));
  EXPECT_THAT(run.out, ContainsRegex("ok +clock +agrees with the server's"));
  EXPECT_THAT(run.out, ContainsRegex("ok +access +may read jobs"));
  EXPECT_THAT(run.out, ContainsRegex("ok +workers +1 takes jobs"));
  EXPECT_THAT(run.out, ContainsRegex("ok +worker-1 +busy, [0-9.]+, cpu Xeon .*2 threads"));
  EXPECT_THAT(run.out, Not(HasSubstr("warning")));
  EXPECT_THAT(run.out, Not(HasSubstr("\x1b")));
}

TEST_F(ProgramDoctorTest, AVersionOrAClockThatDiffersIsAWarning) {
  Introduce("0.0.1", -absl::Hours(1));
  const ProgramResult run = Run({"doctor"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, ContainsRegex("warning +version +[0-9.]+ here, 0.0.1 there > install"));
  EXPECT_THAT(run.out,
              ContainsRegex("warning +clock +the server's is (59m[0-9]+s|1h00m) behind this"));
  EXPECT_THAT(run.out, ContainsRegex("warning +worker-1 .* > install 0.0.1 there"));
}

TEST_F(ProgramDoctorTest, AnOlderServerTellsNothing) {
  service_.SetHeaders(nullptr);
  const ProgramResult run = Run({"doctor"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("the server does not tell its own"));
  EXPECT_THAT(run.out, Not(HasSubstr("clock")));
}

TEST_F(ProgramDoctorTest, FailuresEndWithTheirExitCodes) {
  const ProgramResult usage = Run({"doctor", "--tls-ca", "/no/such.pem"});
  EXPECT_EQ(usage.exit_code, 2);
  EXPECT_THAT(usage.out, ContainsRegex("failed +settings .*/no/such.pem"));
  EXPECT_THAT(usage.out,
              Not(ContainsRegex("(ok|failed) +server")));  // what cannot be known is not said

  const ProgramResult nobody = Run({"doctor", "--endpoint", "127.0.0.1:1"});
  EXPECT_EQ(nobody.exit_code, 5);
  EXPECT_THAT(nobody.out, ContainsRegex("failed +server +cannot reach sasqd at 127.0.0.1:1"));
  EXPECT_THAT(nobody.out, HasSubstr("> if it speaks TLS, add --tls or --tls-ca"));

  service_.Deny(ToGrpcStatus(
      WithReason(absl::UnauthenticatedError("this service wants a token"), "TOKEN_MISSING")));
  const ProgramResult denied = Run({"doctor", "-o", "json"});
  EXPECT_EQ(denied.exit_code, 4);
  const auto check = nlohmann::json::parse(denied.out)["checks"].back();
  EXPECT_EQ(check["check"], "access");
  EXPECT_EQ(check["level"], "failed");
  EXPECT_EQ(check["detail"], "this service wants a token");
  EXPECT_THAT(check["remedy"].get<std::string>(), HasSubstr("$SASQ_TOKEN"));

  service_.StopServing();
  EXPECT_EQ(Run({"doctor"}).exit_code, 5);
}

TEST_F(ProgramDoctorTest, TopPrintsOneSnapshotWhereThereIsNoTerminal) {
  v1::Job running = MakeJob(name_, v1::JOB_STATE_RUNNING, 2);
  running.set_worker("worker-1");
  running.mutable_spec()->set_display_name("nightly");
  running.mutable_progress()->set_stage(v1::STAGE_TRAIN);
  running.mutable_progress()->set_subject("sasq");
  running.mutable_progress()->set_fraction(0.57);
  running.mutable_progress()->set_loss(3.2144);
  running.mutable_progress()->mutable_remaining()->set_seconds(192);
  v1::Job later = MakeJob(JobName("bbb"), v1::JOB_STATE_QUEUED, 1);
  later.mutable_spec()->set_priority(500);
  v1::Job sooner = MakeJob(JobName("ccc"), v1::JOB_STATE_QUEUED, 1);
  sooner.mutable_spec()->set_priority(510);
  sooner.set_waiting_reason("no \x1b[2J worker");
  service_.AddJob(later);
  service_.AddJob(running);
  service_.AddJob(sooner);
  service_.AddJob(MakeSucceededJob(JobName("ddd"), 9));
  const ProgramResult run = Run({"top"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("1 worker: 1 busy; 1 running; 2 queued, the oldest for "));
  EXPECT_THAT(run.out, AllOf(HasSubstr("training sasq"), HasSubstr("######....  57%"),
                             HasSubstr("3m12s  3.214")));
  EXPECT_LT(run.out.find("ccc"), run.out.find("bbb"));
  EXPECT_THAT(run.out, Not(HasSubstr("ddd")));
  EXPECT_THAT(run.out, Not(HasSubstr("\x1b")));
  EXPECT_EQ(Run({"top", "-o", "json"}).exit_code, 2);
  EXPECT_EQ(Run({"top", "--interval", "0"}).exit_code, 2);
  EXPECT_EQ(Run({"top", "--endpoint", "127.0.0.1:1"}).exit_code, 5);
}

}  // namespace
}  // namespace sasq::testing
