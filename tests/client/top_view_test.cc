#include "client/commands/top_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "client/text.h"

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

v1::Job Training(const std::string& name, int64_t step, double loss) {
  v1::Job job;
  job.set_name(name);
  job.set_state(v1::JOB_STATE_RUNNING);
  job.set_attempt_count(1);
  job.mutable_start_time()->set_seconds(absl::ToUnixSeconds(kNow) - step);
  job.mutable_progress()->set_stage(v1::STAGE_TRAIN);
  job.mutable_progress()->set_subject("sasq");
  job.mutable_progress()->set_step(step);
  job.mutable_progress()->set_loss(loss);
  return job;
}

TEST(LossHistoryTest, KeepsTheCourseOfOneTraining) {
  LossHistory losses;
  losses.Update({Training("jobs/a", 1, 3.0)});
  losses.Update({Training("jobs/a", 1, 3.0)});  // nothing new
  losses.Update({Training("jobs/a", 2, 2.5), Training("jobs/b", 7, 9.0)});
  EXPECT_THAT(losses.Of("jobs/a"), ElementsAre(3.0, 2.5));
  EXPECT_THAT(losses.Of("jobs/b"), ElementsAre(9.0));
  v1::Job measuring = Training("jobs/a", 1, 0);
  measuring.mutable_progress()->clear_loss();
  losses.Update({measuring});
  EXPECT_THAT(losses.Of("jobs/a"), ElementsAre(3.0, 2.5));
  EXPECT_THAT(losses.Of("jobs/b"), IsEmpty());  // it has ended
}

TEST(LossHistoryTest, AnotherAttemptOrRecipeBeginsAnew) {
  LossHistory losses;
  losses.Update({Training("jobs/a", 5, 3.0)});
  v1::Job again = Training("jobs/a", 5, 4.0);
  again.set_attempt_count(2);
  losses.Update({again});
  EXPECT_THAT(losses.Of("jobs/a"), ElementsAre(4.0));
  again.mutable_progress()->set_subject("llm_qat");
  again.mutable_progress()->set_loss(6.0);
  losses.Update({again});
  EXPECT_THAT(losses.Of("jobs/a"), ElementsAre(6.0));
}

TEST(RenderTopTest, ShowsTheLossAsASparklineAndKeepsToTheWidth) {
  LossHistory losses;
  TopSnapshot snapshot;
  for (int step = 1; step <= 40; ++step) {
    snapshot.running = {Training("jobs/aaaaaaaaaaaaaaaa", step, 5.0 - 0.1 * step)};
    snapshot.running[0].mutable_spec()->set_display_name("a name that is far too long for this");
    losses.Update(snapshot.running);
  }
  TopLook look;
  look.endpoint = "host:1";
  look.problem = "cannot reach sasqd at host:1, however often one asks, and that is a long story";
  look.now = kNow;
  look.width = 100;
  look.style.utf8 = true;
  const std::vector<std::string> lines = RenderTop(snapshot, losses, look);
  EXPECT_THAT(lines[1], HasSubstr("0 workers; 1 running; 0 queued"));
  EXPECT_THAT(lines[2], HasSubstr("as it was: cannot reach sasqd"));
  EXPECT_THAT(lines.back(), HasSubstr("1.000  █"));
  EXPECT_THAT(lines.back(), HasSubstr("▂▁"));
  for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), 100) << line;
}

TEST(SortJobsTest, PutsTheNextJobFirst) {
  TopSnapshot snapshot;
  for (const auto& [name, priority, seconds] :
       {std::tuple("late", 500, 100), std::tuple("early", 500, 0),
        std::tuple("urgent", 502, 100)}) {
    v1::Job job;
    job.set_name(name);
    job.mutable_spec()->set_priority(priority);
    job.mutable_create_time()->set_seconds(seconds);
    snapshot.queued.push_back(job);
  }
  SortJobs(&snapshot);
  std::vector<std::string> names;
  for (const v1::Job& job : snapshot.queued) names.push_back(job.name());
  EXPECT_THAT(names, ElementsAre("urgent", "early", "late"));
}

}  // namespace
}  // namespace sasq
