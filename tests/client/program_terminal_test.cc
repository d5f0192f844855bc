// The program `sasq` on a pseudo terminal: colors, box characters, and the live progress bar.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/client/fake_service.h"
#include "tests/client/program.h"

namespace sasq::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

class ProgramTerminalTest : public ::testing::Test {
 protected:
  Program::Options OnTerminal(std::vector<std::string> arguments,
                              std::map<std::string, std::string> environment = {}) const {
    Program::Options options;
    options.arguments = std::move(arguments);
    options.environment = std::move(environment);
    options.environment["SASQ_ENDPOINT"] = service_.endpoint();
    options.environment.try_emplace("TERM", "xterm-256color");
    options.on_terminal = true;
    return options;
  }

  v1::Job Training() const {
    v1::Job job = MakeJob(name_, v1::JOB_STATE_RUNNING, 2);
    job.mutable_progress()->set_stage(v1::STAGE_TRAIN);
    job.mutable_progress()->set_subject("sasq");
    job.mutable_progress()->set_step(34);
    job.mutable_progress()->set_step_count(60);
    job.mutable_progress()->set_fraction(0.57);
    job.mutable_progress()->mutable_remaining()->set_seconds(192);
    *job.add_rows() = MakeSucceededJob(name_, 2).rows(0);
    return job;
  }

  const std::string name_ = JobName("abc123");
  FakeService service_;
};

TEST_F(ProgramTerminalTest, ABarIsDrawnAndTakenAway) {
  service_.AddJob(Training());
  service_.AddWatch({{Training(), MakeSucceededJob(name_, 6)}, grpc::Status::OK});
  const ProgramResult run = Program(OnTerminal({"watch", name_})).Finish();
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("training sasq  step 34/60"));
  EXPECT_THAT(run.out, HasSubstr("57%  3m12s left"));
  EXPECT_THAT(run.out, HasSubstr("\x1b[2A\x1b[J"));  // two lines up, clear: the bar is gone
  EXPECT_THAT(run.out, HasSubstr("✓\x1b[0m fp: perplexity 17.224"));  // a row that stays
  EXPECT_THAT(run.out, HasSubstr("────"));                            // the table's rule
  EXPECT_THAT(run.out, EndsWith("fetches its artifact\r\n"));
}

TEST_F(ProgramTerminalTest, CtrlCTakesTheBarAway) {
  service_.AddJob(Training());
  service_.AddWatch({{Training()}, grpc::Status::OK, true});
  Program program(OnTerminal({"watch", name_}));
  program.ReadUntil("57%");
  program.Signal(SIGINT);
  const ProgramResult run = program.Finish();
  EXPECT_EQ(run.exit_code, 130);
  EXPECT_THAT(run.out, HasSubstr("\x1b[Jsasq: interrupted; " + name_ + " lives on"));
}

TEST_F(ProgramTerminalTest, ColorsObeyFlagAndEnvironment) {
  service_.AddJob(MakeSucceededJob(name_, 6));
  EXPECT_THAT(Program(OnTerminal({"get", name_})).Finish().out, HasSubstr("\x1b[32msucceeded"));
  EXPECT_THAT(Program(OnTerminal({"get", name_}, {{"NO_COLOR", "1"}})).Finish().out,
              Not(HasSubstr("\x1b")));
  EXPECT_THAT(Program(OnTerminal({"get", name_, "--color", "never"})).Finish().out,
              Not(HasSubstr("\x1b")));
  EXPECT_THAT(Program(OnTerminal({"get", name_}, {{"TERM", "dumb"}})).Finish().out,
              Not(HasSubstr("\x1b")));
}

TEST_F(ProgramTerminalTest, ATerminalWithoutUtf8GetsAscii) {
  service_.AddJob(MakeSucceededJob(name_, 6));
  const ProgramResult run = Program(OnTerminal({"get", name_}, {{"LANG", "C"}})).Finish();
  EXPECT_THAT(run.out, Not(HasSubstr("─")));
  EXPECT_THAT(run.out, HasSubstr("----"));
}

TEST_F(ProgramTerminalTest, LogsCannotSteerTheTerminal) {
  service_.AddJob(MakeJob(name_, v1::JOB_STATE_RUNNING, 2));
  service_.SetLog("one \x1b[2J\ntwo € three\n", {14});  // broken within the euro sign
  const ProgramResult run = Program(OnTerminal({"logs", name_, "--quiet"})).Finish();
  EXPECT_EQ(run.out, "one \uFFFD[2J\r\ntwo € three\r\n");
}

}  // namespace
}  // namespace sasq::testing
