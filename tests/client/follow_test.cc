// follow, reconnect and interrupt against a scripted service.
#include "client/follow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "client/exit_code.h"
#include "tests/client/fake_service.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using testing::FakeService;
using ::testing::HasSubstr;
using testing::JobName;
using testing::MakeJob;
using testing::MakeSucceededJob;

const grpc::Status kBroken(grpc::StatusCode::UNAVAILABLE, "broken");

class FollowTest : public ::testing::Test {
 protected:
  Reconnector MakeReconnector(ReconnectOptions options = {}) {
    return Reconnector(options, Clock::Real(), &interrupt_,
                       [this](const std::string& line) { notes_.push_back(line); });
  }

  absl::StatusOr<v1::Job> Follow(ReconnectOptions options = {}) {
    Reconnector reconnector = MakeReconnector(options);
    return FollowJob(client_, name_, reconnector,
                     [this](const v1::Job& job) { seen_.push_back(job.sequence()); });
  }

  const std::string name_ = JobName("abc123");
  FakeService service_;
  Interrupt interrupt_;
  ServiceClient client_{{.endpoint = service_.endpoint()}, &interrupt_};
  std::vector<std::string> notes_;
  std::vector<int64_t> seen_;
};

TEST_F(FollowTest, EndsWithTheJob) {
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_QUEUED, 1),
                      MakeJob(name_, v1::JOB_STATE_RUNNING, 2), MakeSucceededJob(name_, 5)},
                     grpc::Status::OK});
  const auto job = Follow();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(seen_, ElementsAre(1, 2, 5));
  EXPECT_THAT(notes_, ElementsAre());
}

TEST_F(FollowTest, ResumesFromTheLastSequenceAndSaysSoOnce) {
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 7)}, kBroken});
  service_.AddWatch({{}, kBroken});
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 9)}, grpc::Status::OK});  // cut short
  service_.AddWatch({{MakeSucceededJob(name_, 11)}, grpc::Status::OK});
  const auto job = Follow();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(service_.watch_offsets(), ElementsAre(0, 7, 7, 9));
  EXPECT_THAT(seen_, ElementsAre(7, 9, 11));
  EXPECT_THAT(notes_, ElementsAre(HasSubstr("reconnecting"), "connected again",
                                  HasSubstr("reconnecting"), "connected again"));
}

TEST_F(FollowTest, NeverShowsAnOlderState) {
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 7)}, kBroken});
  service_.AddWatch(
      {{MakeJob(name_, v1::JOB_STATE_QUEUED, 3), MakeSucceededJob(name_, 8)}, grpc::Status::OK});
  ASSERT_TRUE(Follow().ok());
  EXPECT_THAT(seen_, ElementsAre(7, 8));
}

TEST_F(FollowTest, AnEndedJobNeedsNoProperEndOfTheStream) {
  service_.AddWatch({{MakeSucceededJob(name_, 8)}, kBroken});
  EXPECT_TRUE(Follow().ok());
  EXPECT_THAT(service_.watch_offsets(), ElementsAre(0));
}

TEST_F(FollowTest, FinalErrorsAreNotTriedAgain) {
  service_.AddWatch({{}, grpc::Status(grpc::StatusCode::NOT_FOUND, "deleted")});
  EXPECT_EQ(ExitCodeOf(Follow().status()), ExitCode::kNotFound);
  EXPECT_THAT(service_.watch_offsets(), ElementsAre(0));
}

TEST_F(FollowTest, GivesUpAfterTheReconnectTimeout) {
  service_.AddWatch({{}, kBroken});
  const auto job = Follow({.give_up_after = absl::ZeroDuration()});
  EXPECT_EQ(ExitCodeOf(job.status()), ExitCode::kUnavailable);
  EXPECT_THAT(std::string(job.status().message()), HasSubstr("gave up after 0.0s"));
}

TEST_F(FollowTest, TheDeadlineEndsAnOpenStream) {
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 2)}, grpc::Status::OK, true});
  const auto job = Follow({.deadline = absl::Now() + absl::Milliseconds(100)});
  EXPECT_EQ(ExitCodeOf(job.status()), ExitCode::kWaitTimedOut);
}

TEST_F(FollowTest, TheDeadlineEndsABackOff) {
  for (int i = 0; i < 100; ++i) service_.AddWatch({{}, kBroken});
  const auto job = Follow({.deadline = absl::Now() + absl::Milliseconds(300)});
  EXPECT_EQ(ExitCodeOf(job.status()), ExitCode::kWaitTimedOut);
}

TEST_F(FollowTest, AnInterruptEndsAnOpenStream) {
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 2)}, grpc::Status::OK, true});
  std::thread user([this] {
    service_.WaitForHold();
    interrupt_.Trigger();
  });
  EXPECT_EQ(ExitCodeOf(Follow().status()), ExitCode::kInterrupted);
  user.join();
  // And every call after it.
  EXPECT_EQ(ExitCodeOf(client_.GetJob(name_).status()), ExitCode::kInterrupted);
}

TEST_F(FollowTest, ALogIsReadOnceFromItsFirstToItsLastByte) {
  std::string log;
  for (int i = 0; i < 500; ++i) log += "line " + std::to_string(i) + "\n";
  service_.SetLog(log, {0, 1500, 2999});
  std::string read;
  Reconnector reconnector = MakeReconnector();
  const absl::Status status = FollowLog(client_, name_, true, reconnector, [&](auto bytes) {
    read += std::string(bytes);
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, log);
  EXPECT_THAT(service_.log_offsets(), ElementsAre(0, 0, 1500, 2999));
}

TEST(ReconnectTest, SurvivesARestartOfTheServer) {
  const std::string name = JobName("abc123");
  auto first = std::make_unique<FakeService>();
  const int port = first->port();
  first->AddWatch({{MakeJob(name, v1::JOB_STATE_RUNNING, 4)}, grpc::Status::OK, true});
  Interrupt interrupt;
  ServiceClient client({.endpoint = first->endpoint()}, &interrupt);
  std::unique_ptr<FakeService> second;
  std::thread operator_thread([&] {
    first->WaitForHold();
    first.reset();
    second = std::make_unique<FakeService>(port);
    second->AddWatch({{MakeSucceededJob(name, 9)}, grpc::Status::OK});
  });
  Reconnector reconnector({}, Clock::Real(), &interrupt, [](const std::string&) {});
  const auto job = FollowJob(client, name, reconnector, [](const v1::Job&) {});
  operator_thread.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(second->watch_offsets(), ElementsAre(4));
}

TEST(BackoffTest, GrowsFromAFifthOfASecondToFive) {
  for (uint32_t seed = 1; seed <= 50; ++seed) {
    Backoff backoff(seed);
    EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
    for (int i = 0; i < 10; ++i) {
      const absl::Duration wait = backoff.Next();
      EXPECT_GE(wait, absl::Milliseconds(200));
      EXPECT_LE(wait, absl::Seconds(5));
      EXPECT_GE(wait, i < 5 ? absl::Milliseconds(200) : absl::Seconds(2.5));
    }
    backoff.Reset();
    EXPECT_EQ(backoff.Next(), absl::Milliseconds(200));
  }
}

TEST(InterruptTest, EndsSleepsAndRunsActions) {
  Interrupt interrupt;
  EXPECT_TRUE(interrupt.SleepFor(absl::Milliseconds(1)));
  int count = 0;
  {
    Interrupt::Action gone(&interrupt, [&count] { count += 100; });
  }
  Interrupt::Action action(&interrupt, [&count] { ++count; });
  std::thread user([&interrupt] { interrupt.Trigger(); });
  EXPECT_FALSE(interrupt.SleepFor(absl::Hours(1)));
  user.join();
  EXPECT_EQ(count, 1);
  Interrupt::Action late(&interrupt, [&count] { ++count; });
  EXPECT_EQ(count, 2);
  EXPECT_FALSE(interrupt.SleepFor(absl::Hours(1)));
}

TEST(ServiceClientTest, NobodyThere) {
  int port = 0;
  { port = FakeService().port(); }
  Interrupt interrupt;
  ServiceClient client({.endpoint = "127.0.0.1:" + std::to_string(port)}, &interrupt);
  const absl::Status status = client.GetJob(JobName("abc123")).status();
  EXPECT_EQ(ExitCodeOf(status), ExitCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot reach sasqd at 127.0.0.1:"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--endpoint"));
}

}  // namespace
}  // namespace sasq
