#include "client/commands/top_view.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "client/commands/command.h"
#include "client/commands/workers.h"
#include "client/enum_names.h"
#include "client/job_name.h"
#include "client/progress.h"
#include "client/sparkline.h"
#include "client/table.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr size_t kMaxLosses = 240;
constexpr int kSparkColumns = 24;
constexpr int kBarColumns = 10;

// Where the job stands in the queue: a point of priority counts as much as a minute of waiting.
absl::Time RankOf(const v1::Job& job) {
  return ToTime(job.create_time()) - absl::Minutes(job.spec().priority());
}

std::string NameOf(const v1::Job& job) {
  return job.spec().display_name().empty() ? job.spec().model().uri() : job.spec().display_name();
}

// `2 workers: 1 busy, 1 idle`.
std::string CountWorkers(const std::vector<v1::Worker>& workers) {
  std::map<v1::WorkerState, int> counts;
  for (const v1::Worker& worker : workers) ++counts[worker.state()];
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [state, count] : counts) {
    parts.push_back(absl::StrCat(count, " ", ShortEnumName(v1::WorkerState_descriptor(), state)));
  }
  return absl::StrCat(workers.size(), workers.size() == 1 ? " worker" : " workers",
                      parts.empty() ? "" : ": ", absl::StrJoin(parts, ", "));
}

std::string CountQueued(const TopSnapshot& snapshot, absl::Time now) {
  std::string text =
      absl::StrCat(snapshot.queued.size(), snapshot.has_more_queued ? "+" : "", " queued");
  if (snapshot.queued.empty()) return text;
  absl::Time oldest = absl::InfiniteFuture();
  for (const v1::Job& job : snapshot.queued) oldest = std::min(oldest, ToTime(job.create_time()));
  return absl::StrCat(text, ", the oldest for ", DurationText(now - oldest));
}

Table RunningTable(const TopSnapshot& snapshot, const LossHistory& losses, const TopLook& look) {
  Table table({{"running"},
               {"name", Table::Align::kLeft, /*may_shrink=*/true},
               {"worker", Table::Align::kLeft, /*may_shrink=*/true},
               {"doing", Table::Align::kLeft, /*may_shrink=*/true},
               {"done"},
               {"left", Table::Align::kRight},
               {"loss", Table::Align::kRight},
               {""}});
  const TextStyle no_color{.utf8 = look.style.utf8, .color = false};
  for (const v1::Job& job : snapshot.running) {
    ProgressTracker tracker;
    tracker.Update(job, look.now);
    const absl::Duration left = tracker.Remaining(look.now);
    const bool is_cancelling = job.state() == v1::JOB_STATE_CANCELLING;
    table.AddRow(
        {{ShortJobId(job.name()), TextColor::kCyan},
         NameOf(job),
         job.worker(),
         {DescribeActivity(job), is_cancelling ? TextColor::kYellow : TextColor::kPlain},
         absl::StrFormat("%s %3d%%", RenderBar(FractionOf(job), kBarColumns, no_color),
                         PercentOf(job)),
         left < absl::ZeroDuration() ? "-" : DurationText(left),
         job.progress().has_loss() ? absl::StrFormat("%.3f", job.progress().loss()) : "-",
         {RenderSparkline(losses.Of(job.name()), kSparkColumns, look.style), TextColor::kGreen}});
  }
  return table;
}

Table WorkerTable(const TopSnapshot& snapshot, absl::Time now) {
  Table table({{"worker"},
               {"state"},
               {"job"},
               {"seen", Table::Align::kRight},
               {"device", Table::Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Worker& worker : snapshot.workers) {
    table.AddRow(
        {worker.id(),
         {ShortEnumName(v1::WorkerState_descriptor(), worker.state()), ColorOf(worker.state())},
         ShortJobId(worker.job()),
         DurationText(now - ToTime(worker.last_seen_time())) + " ago",
         DeviceText(worker.capabilities())});
  }
  return table;
}

Table QueueTable(const TopSnapshot& snapshot, absl::Time now) {
  Table table({{"queued"},
               {"name", Table::Align::kLeft, /*may_shrink=*/true},
               {"priority", Table::Align::kRight},
               {"for", Table::Align::kRight},
               {"why it waits", Table::Align::kLeft, /*may_shrink=*/true}});
  for (const v1::Job& job : snapshot.queued) {
    table.AddRow({ShortJobId(job.name()), NameOf(job), absl::StrCat(job.spec().priority()),
                  DurationText(now - ToTime(job.create_time())), job.waiting_reason()});
  }
  return table;
}

}  // namespace

void SortJobs(TopSnapshot* snapshot) {
  std::stable_sort(snapshot->running.begin(), snapshot->running.end(),
                   [](const v1::Job& a, const v1::Job& b) {
                     return ToTime(a.start_time()) < ToTime(b.start_time());
                   });
  std::stable_sort(snapshot->queued.begin(), snapshot->queued.end(),
                   [](const v1::Job& a, const v1::Job& b) { return RankOf(a) < RankOf(b); });
}

void LossHistory::Update(const std::vector<v1::Job>& running) {
  std::map<std::string, Course> courses;
  for (const v1::Job& job : running) {
    Course& course = courses[job.name()];
    if (const auto before = courses_.find(job.name()); before != courses_.end()) {
      course = std::move(before->second);
    }
    const v1::Progress& progress = job.progress();
    if (!progress.has_loss()) continue;  // what was trained last stays in sight
    if (course.attempt != job.attempt_count() || course.subject != progress.subject()) {
      course = {job.attempt_count(), progress.subject(), -1, {}};
    }
    if (course.step == progress.step()) continue;
    course.step = progress.step();
    course.losses.push_back(progress.loss());
    if (course.losses.size() > kMaxLosses) course.losses.erase(course.losses.begin());
  }
  courses_ = std::move(courses);
}

absl::Span<const double> LossHistory::Of(const std::string& name) const {
  const auto found = courses_.find(name);
  return found == courses_.end() ? absl::Span<const double>() : found->second.losses;
}

std::vector<std::string> RenderTop(const TopSnapshot& snapshot, const LossHistory& losses,
                                   const TopLook& look) {
  std::vector<std::string> lines = {
      absl::StrCat(look.style.Paint(TextColor::kBold, "sasq top"), "  ", CleanLine(look.endpoint),
                   "  ", absl::FormatTime("%H:%M:%S", look.now, absl::LocalTimeZone())),
      absl::StrCat(CountWorkers(snapshot.workers), "; ", snapshot.running.size(), " running; ",
                   CountQueued(snapshot, look.now))};
  if (!look.problem.empty()) {
    lines.push_back(look.style.Paint(
        TextColor::kRed, TruncateToWidth("as it was: " + CleanLine(look.problem), look.width)));
  }
  for (const Table& table : {RunningTable(snapshot, losses, look), WorkerTable(snapshot, look.now),
                             QueueTable(snapshot, look.now)}) {
    if (table.empty()) continue;
    lines.emplace_back();
    std::string text = table.Render(look.style, look.width);
    text.pop_back();  // the last line feed
    for (absl::string_view line : absl::StrSplit(text, '\n')) lines.emplace_back(line);
  }
  return lines;
}

}  // namespace sasq
