#include "client/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/enum_names.h"
#include "client/text.h"

namespace sasq {
namespace {

constexpr absl::Duration kRateWindow = absl::Seconds(15);
constexpr absl::Duration kUnknown = absl::Seconds(-1);
constexpr int kNarrowestBar = 10;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

const char* StageText(v1::Stage stage) {
  switch (stage) {
    case v1::STAGE_LOAD:
      return "loading the model";
    case v1::STAGE_CALIBRATE:
      return "calibrating";
    case v1::STAGE_TRAIN:
      return "training";
    case v1::STAGE_EVALUATE:
      return "measuring";
    case v1::STAGE_PUBLISH:
      return "publishing";
    default:
      return "starting";
  }
}

bool IsMoving(const v1::Job& job) { return job.state() == v1::JOB_STATE_RUNNING; }

// Step, loss and speed of a running job, the most telling first.
std::vector<std::string> Details(const ProgressTracker& tracker) {
  std::vector<std::string> details;
  const v1::Progress& progress = tracker.job().progress();
  if (!IsMoving(tracker.job())) return details;
  if (progress.step_count() > 0) {
    details.push_back(absl::StrCat(progress.stage() == v1::STAGE_TRAIN ? "step " : "",
                                   progress.step(), "/", progress.step_count()));
  }
  if (progress.has_loss()) details.push_back(absl::StrFormat("loss %.3f", progress.loss()));
  if (tracker.tokens_per_second() > 0) {
    details.push_back(absl::StrFormat("%.0f tokens/s", tracker.tokens_per_second()));
  }
  return details;
}

std::string Spinner(int frame, const TextStyle& style) {
  constexpr const char* kUtf8[] = {"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"};
  constexpr const char* kAscii[] = {"-", "\\", "|", "/"};
  return style.Paint(TextColor::kCyan, style.utf8 ? kUtf8[frame % 10] : kAscii[frame % 4]);
}

}  // namespace

void ProgressTracker::Update(const v1::Job& job, absl::Time now) {
  const bool new_attempt = job.attempt_count() != job_.attempt_count();
  if (job.state() != job_.state() || new_attempt) {
    state_start_ = now;
    if (job.state() == v1::JOB_STATE_RUNNING && job.attempt_count() <= 1 && job.has_start_time()) {
      state_start_ = std::min(now, ToTime(job.start_time()));
    } else if (job.state() == v1::JOB_STATE_QUEUED && job.attempt_count() == 0) {
      state_start_ = std::min(now, ToTime(job.create_time()));
    }
  }
  const int64_t tokens = job.progress().token_count();
  if (new_attempt || (!samples_.empty() && tokens < samples_.back().token_count)) {
    samples_.clear();
    tokens_per_second_ = 0;
  }
  samples_.push_back({now, tokens});
  while (samples_.size() > 2 && now - samples_[1].time >= kRateWindow) samples_.pop_front();
  const double seconds = absl::ToDoubleSeconds(now - samples_.front().time);
  if (seconds > 0) {
    tokens_per_second_ = static_cast<double>(tokens - samples_.front().token_count) / seconds;
  }
  job_ = job;
  last_update_ = now;
}

absl::Duration ProgressTracker::Elapsed(absl::Time now) const {
  return std::max(absl::ZeroDuration(), now - state_start_);
}

absl::Duration ProgressTracker::Remaining(absl::Time now) const {
  if (!IsMoving(job_) || !job_.progress().has_remaining()) return kUnknown;
  const absl::Duration left = ToDuration(job_.progress().remaining()) - (now - last_update_);
  return std::max(absl::ZeroDuration(), left);
}

double FractionOf(const v1::Job& job) {
  const double fraction = job.progress().fraction();
  return std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
}

int PercentOf(const v1::Job& job) { return static_cast<int>(100 * FractionOf(job) + 1e-6); }

std::string DescribeActivity(const v1::Job& job) {
  if (!IsMoving(job)) return ShortEnumName(v1::JobState_descriptor(), job.state());
  const v1::Progress& progress = job.progress();
  const std::string stage = StageText(progress.stage());
  return progress.subject().empty() ? stage
                                    : absl::StrCat(stage, " ", CleanLine(progress.subject()));
}

std::string RenderBar(double fraction, int columns, const TextStyle& style) {
  if (columns <= 0) return "";
  const int halves = static_cast<int>(std::floor(std::clamp(fraction, 0.0, 1.0) * columns * 2));
  std::string full, rest;
  for (int i = 0; i < columns; ++i) {
    const int filled = std::clamp(halves - 2 * i, 0, 2);
    if (filled == 2) {
      absl::StrAppend(&full, style.utf8 ? "━" : "#");
    } else if (filled == 1) {
      absl::StrAppend(&full, style.utf8 ? "╸" : "#");
    } else {
      absl::StrAppend(&rest, style.utf8 && style.color ? "━" : style.utf8 ? "─" : ".");
    }
  }
  return absl::StrCat(style.Paint(TextColor::kGreen, full), style.Paint(TextColor::kDim, rest));
}

std::vector<std::string> RenderLive(const ProgressTracker& tracker, absl::Time now, int frame,
                                    int width, const TextStyle& style) {
  const v1::Job& job = tracker.job();
  std::string activity = DescribeActivity(job);
  if (!IsMoving(job)) absl::StrAppend(&activity, " ", DurationText(tracker.Elapsed(now)));
  if (!job.waiting_reason().empty()) {
    absl::StrAppend(&activity, ": ", CleanLine(job.waiting_reason()));
  }
  std::string line = TruncateToWidth(activity, width - 2);
  for (const std::string& detail : Details(tracker)) {
    if (DisplayWidth(line) + DisplayWidth(detail) + 4 > width) break;
    absl::StrAppend(&line, "  ", detail);
  }
  std::vector<std::string> lines = {absl::StrCat(Spinner(frame, style), " ", line)};
  if (!IsMoving(job)) return lines;

  std::string percent = absl::StrFormat("%3d%%", PercentOf(job));
  std::vector<std::string> times;
  const absl::Duration remaining = tracker.Remaining(now);
  if (remaining >= absl::ZeroDuration()) times.push_back(DurationText(remaining) + " left");
  times.push_back(DurationText(tracker.Elapsed(now)) + " so far");
  for (const std::string& time : times) {
    if (DisplayWidth(percent) + DisplayWidth(time) + kNarrowestBar + 5 > width) break;
    absl::StrAppend(&percent, "  ", time);
  }
  const int bar_columns = std::min(width - DisplayWidth(percent) - 3, 60);
  lines.push_back(absl::StrCat("  ", RenderBar(FractionOf(job), bar_columns, style), " ", percent));
  return lines;
}

std::string RenderPlain(const ProgressTracker& tracker, absl::Time now) {
  const v1::Job& job = tracker.job();
  std::string line = DescribeActivity(job);
  if (!job.waiting_reason().empty()) {
    return absl::StrCat(line, ": ", CleanLine(job.waiting_reason()));
  }
  if (!IsMoving(job)) return line;
  std::vector<std::string> details = Details(tracker);
  details.push_back(absl::StrFormat("%d%%", PercentOf(job)));
  const absl::Duration remaining = tracker.Remaining(now);
  if (remaining >= absl::ZeroDuration()) details.push_back(DurationText(remaining) + " left");
  return absl::StrCat(line, ": ", absl::StrJoin(details, ", "));
}

}  // namespace sasq
