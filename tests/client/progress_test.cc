#include "client/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/text.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);
constexpr TextStyle kAscii;
constexpr TextStyle kUtf8{.utf8 = true, .color = false};

v1::Job Training(int64_t step, int64_t tokens, double fraction) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_sequence(step + 1);
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_attempt_count(1);
  job.mutable_start_time()->set_seconds(absl::ToUnixSeconds(kStart));
  v1::Progress* progress = job.mutable_progress();
  progress->set_stage(v1::STAGE_TRAIN);
  progress->set_subject("sasq");
  progress->set_step(step);
  progress->set_step_count(60);
  progress->set_loss(3.2144);
  progress->set_token_count(tokens);
  progress->set_fraction(fraction);
  progress->mutable_remaining()->set_seconds(192);
  return job;
}

ProgressTracker MidTraining() {
  ProgressTracker tracker;
  tracker.Update(Training(30, 1000, 0.5), kStart + absl::Seconds(100));
  tracker.Update(Training(34, 2420, 0.57), kStart + absl::Seconds(110));
  return tracker;
}

TEST(RenderLiveTest, ShowsActivityAndBar) {
  const ProgressTracker tracker = MidTraining();
  const absl::Time now = kStart + absl::Seconds(112);
  EXPECT_THAT(
      RenderLive(tracker, now, 0, 79, kAscii),
      ElementsAre("- training sasq  step 34/60  loss 3.214  142 tokens/s",
                  "  ##########################....................  57%  3m10s left  1m52s so "
                  "far"));
  EXPECT_THAT(RenderLive(tracker, now, 2, 79, kUtf8)[0], HasSubstr("⠹ training sasq"));
}

TEST(RenderLiveTest, NeverExceedsTheWidth) {
  v1::Job job = Training(34, 2420, 0.57);
  job.mutable_progress()->set_subject("static_mse, first token float");
  ProgressTracker running;
  running.Update(job, kStart);
  ProgressTracker queued;
  job.set_state(v1::JOB_STATE_QUEUED);
  job.set_waiting_reason("no worker is connected; start sasq-worker or wait for one to come back");
  queued.Update(job, kStart);
  for (int width = 19; width <= 200; ++width) {
    for (const TextStyle& style : {kAscii, kUtf8, TextStyle{.utf8 = true, .color = true}}) {
      for (const ProgressTracker* tracker : {&running, &queued}) {
        for (const std::string& line : RenderLive(*tracker, kStart, 3, width, style)) {
          EXPECT_LE(DisplayWidth(line), width) << line;
        }
      }
    }
  }
}

TEST(RenderLiveTest, AWaitingJobSaysWhatItWaitsFor) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_QUEUED);
  job.set_waiting_reason("no worker\x1b[2J is connected");
  job.mutable_create_time()->set_seconds(absl::ToUnixSeconds(kStart));
  ProgressTracker tracker;
  tracker.Update(job, kStart + absl::Seconds(30));
  EXPECT_THAT(RenderLive(tracker, kStart + absl::Seconds(42), 1, 79, kAscii),
              ElementsAre("\\ queued 42s: no worker\uFFFD[2J is connected"));
  EXPECT_EQ(RenderPlain(tracker, kStart), "queued: no worker\uFFFD[2J is connected");
}

TEST(RenderLiveTest, SurvivesNonsense) {
  v1::Job job = Training(-5, -7, 12.5);
  job.mutable_progress()->mutable_remaining()->set_seconds(-1000);
  ProgressTracker tracker;
  tracker.Update(job, kStart);
  EXPECT_THAT(RenderLive(tracker, kStart, 0, 79, kAscii), SizeIs(2));
  EXPECT_THAT(RenderLive(ProgressTracker(), kStart, 0, 79, kAscii), SizeIs(1));
}

TEST(RenderPlainTest, IsOneLineWithEverything) {
  EXPECT_EQ(RenderPlain(MidTraining(), kStart + absl::Seconds(110)),
            "training sasq: step 34/60, loss 3.214, 142 tokens/s, 57%, 3m12s left");
}

TEST(ProgressTrackerTest, CountsTheEstimateDownToZero) {
  const ProgressTracker tracker = MidTraining();
  EXPECT_EQ(tracker.Remaining(kStart + absl::Seconds(120)), absl::Seconds(182));
  EXPECT_EQ(tracker.Remaining(kStart + absl::Hours(1)), absl::ZeroDuration());
}

TEST(ProgressTrackerTest, SpeedIsThatOfTheLastSeconds) {
  ProgressTracker tracker;
  for (int second = 0; second <= 100; ++second) {  // 10 tokens/s, then 100 tokens/s for 40 s
    const int64_t tokens = second <= 60 ? 10 * second : 600 + 100 * (second - 60);
    tracker.Update(Training(second, tokens, 0.1), kStart + absl::Seconds(second));
  }
  EXPECT_NEAR(tracker.tokens_per_second(), 100, 1e-9);
}

TEST(ProgressTrackerTest, ANewAttemptStartsAfresh) {
  ProgressTracker tracker = MidTraining();
  v1::Job job = Training(1, 10, 0.01);
  job.set_attempt_count(2);
  tracker.Update(job, kStart + absl::Seconds(500));
  EXPECT_EQ(tracker.tokens_per_second(), 0);
  EXPECT_EQ(tracker.Elapsed(kStart + absl::Seconds(505)), absl::Seconds(5));
}

TEST(RenderBarTest, FillsWithTheFraction) {
  EXPECT_EQ(RenderBar(0, 4, kAscii), "....");
  EXPECT_EQ(RenderBar(0.5, 4, kAscii), "##..");
  EXPECT_EQ(RenderBar(1, 4, kAscii), "####");
  EXPECT_EQ(RenderBar(0.625, 4, kUtf8), "━━╸─");
  EXPECT_EQ(RenderBar(7, 4, kAscii), "####");
  EXPECT_EQ(RenderBar(0.5, 0, kAscii), "");
}

}  // namespace
}  // namespace sasq
