#include "client/job_view.h"

#include "absl/strings/str_cat.h"
#include "client/comparison.h"
#include "client/follow.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr absl::Duration kRedrawPeriod = absl::Milliseconds(200);
constexpr absl::Duration kPlainPeriod = absl::Seconds(10);

}  // namespace

JobView::JobView(Console* console, const Clock* clock)
    : console_(console),
      clock_(clock),
      is_live_(console->err.is_live() && !console->quiet),
      region_(&console->err) {
  if (is_live_) redrawer_ = std::thread([this] { Run(); });
}

JobView::~JobView() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    stop_changed_.SignalAll();
  }
  if (redrawer_.joinable()) redrawer_.join();
}

void JobView::Run() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    Draw();
    ++frame_;
    stop_changed_.WaitFor(&mutex_, kRedrawPeriod);
  }
}

void JobView::Show(const v1::Job& job) {
  MutexLock lock(&mutex_);
  if (console_->quiet) return;
  const v1::Job& before = tracker_.job();
  if (before.state() == v1::JOB_STATE_RUNNING && job.state() == v1::JOB_STATE_QUEUED) {
    Print(absl::StrCat("attempt ", before.attempt_count(), " of ", job.spec().max_attempts(),
                       " was lost; the job is queued again"));
  }
  // A job that was over from the start has its rows in the table of results.
  if (before.sequence() == 0 && IsEnded(job.state())) shown_rows_ = job.rows_size();
  const absl::Time now = clock_->Now();
  tracker_.Update(job, now);
  PrintNewRows(job);
  if (is_live_) {
    Draw();
  } else {
    PrintPlain(now);
  }
}

void JobView::Note(absl::string_view line) {
  MutexLock lock(&mutex_);
  if (!console_->quiet) Print(line);
}

void JobView::Print(absl::string_view line) {
  if (is_live_) {
    region_.PrintAbove(line);
  } else {
    console_->err.WriteLine(line);
  }
}

void JobView::PrintNewRows(const v1::Job& job) {
  if (job.rows_size() < shown_rows_) shown_rows_ = 0;  // a new attempt measures anew
  for (; shown_rows_ < job.rows_size(); ++shown_rows_) {
    const TextStyle& style = console_->err.style();
    Print(absl::StrCat(style.Paint(TextColor::kGreen, style.utf8 ? "✓" : "*"), " ",
                       DescribeRow(job, job.rows(shown_rows_))));
  }
}

void JobView::PrintPlain(absl::Time now) {
  const std::string activity =
      absl::StrCat(DescribeActivity(tracker_.job()), tracker_.job().waiting_reason());
  if (activity == plain_activity_ && now - plain_time_ < kPlainPeriod) return;
  plain_activity_ = activity;
  plain_time_ = now;
  console_->err.WriteLine(RenderPlain(tracker_, now));
}

void JobView::Draw() {
  if (tracker_.job().sequence() == 0 || IsEnded(tracker_.job().state())) {
    region_.Clear();
  } else {
    region_.Draw(
        RenderLive(tracker_, clock_->Now(), frame_, region_.Width(), console_->err.style()));
  }
}

}  // namespace sasq
