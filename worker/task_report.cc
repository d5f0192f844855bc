#include "worker/task_report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "worker/utf8.h"

namespace sasq {
namespace {

// Room in a message for the line that tells of dropped ones.
constexpr size_t kDroppedNoteBytes = 128;

}  // namespace

TaskReport::TaskReport(const Clock* clock, WorkerMetrics* metrics, TaskTrace trace)
    : clock_(clock), metrics_(metrics), trace_(std::move(trace)) {}

TaskReport::~TaskReport() {
  MutexLock lock(&mutex_);
  if (progress_.has_value()) {
    metrics_->AddStageSeconds(progress_->stage(), stage_time_.Seconds());
  }
}

void TaskReport::OnProgress(const v1::Progress& progress) {
  MutexLock lock(&mutex_);
  if (!progress_.has_value() || progress_->stage() != progress.stage()) {
    if (progress_.has_value()) {
      metrics_->AddStageSeconds(progress_->stage(), stage_time_.Seconds());
    }
    stage_time_ = Stopwatch();
  }
  const bool is_new_stage = !progress_.has_value() || progress_->stage() != progress.stage() ||
                            progress_->subject() != progress.subject();
  if (is_new_stage) {
    stage_span_.End();
    stage_span_ = StartStage(progress);
  }
  metrics_->Progressed(progress_.value_or(v1::Progress()), progress);
  progress_ = progress;
}

Span TaskReport::StartStage(const v1::Progress& progress) const {
  const std::string name = v1::Stage_Name(progress.stage());
  SpanAttributes attributes;
  if (!progress.subject().empty()) attributes = {{"sasq.recipe", progress.subject()}};
  return trace_.tracer->Start(absl::AsciiStrToLower(absl::StripPrefix(name, "STAGE_")),
                              SpanKind::kInternal, trace_.attempt, std::move(attributes));
}

void TaskReport::OnRow(const v1::ReportRow& row) {
  metrics_->Measured(row);
  MutexLock lock(&mutex_);
  rows_.push_back(row);
}

void TaskReport::OnLog(absl::string_view line) {
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", clock_->Now(), absl::UTCTimeZone());
  std::string text = absl::StrCat(time, " ", ToUtf8(line, kMaxLogLineBytes));
  std::replace(text.begin(), text.end(), '\n', ' ');
  text += '\n';
  MutexLock lock(&mutex_);
  AppendLogLocked(std::move(text));
}

void TaskReport::OnCheckpoint(std::string checkpoint) {
  if (checkpoint.size() > kMaxCheckpointBytes) {
    OnLog(absl::StrCat("checkpoint of ", checkpoint.size(), " bytes is not kept, the limit is ",
                       kMaxCheckpointBytes));
    return;
  }
  MutexLock lock(&mutex_);
  checkpoint_.Set(std::move(checkpoint));
}

void TaskReport::OnBestScales(std::string pack) {
  if (pack.size() > kMaxCheckpointBytes) return;
  MutexLock lock(&mutex_);
  best_scales_.Set(std::move(pack));
}

void TaskReport::OnContentKey(std::string key) {
  MutexLock lock(&mutex_);
  content_key_.Set(std::move(key));
}

void TaskReport::AppendLogLocked(std::string line) {
  line_bytes_ += line.size();
  lines_.push_back(std::move(line));
  while (line_bytes_ > kMaxPendingLogBytes) {
    metrics_->CountDroppedLogBytes(lines_.front().size());
    line_bytes_ -= lines_.front().size();
    lines_.pop_front();
    ++dropped_lines_;
    if (sent_lines_ > 0) --sent_lines_;
  }
}

size_t TaskReport::FittingLinesLocked() const {
  size_t bytes = kDroppedNoteBytes;
  size_t count = 0;
  while (count < lines_.size() && bytes + lines_[count].size() <= kMaxLogBytesPerMessage) {
    bytes += lines_[count++].size();
  }
  return count;
}

std::string TaskReport::JoinLinesLocked(size_t count) const {
  std::string text;
  if (dropped_lines_ > 0) {
    absl::StrAppend(&text, "... ", dropped_lines_,
                    " lines dropped while the coordinator could not be reached\n");
  }
  for (size_t i = 0; i < count; ++i) text += lines_[i];
  return text;
}

void TaskReport::Fill(dispatch::v1::HeartbeatRequest* request) {
  MutexLock lock(&mutex_);
  if (progress_.has_value()) *request->mutable_progress() = *progress_;
  request->mutable_rows()->Assign(rows_.begin(), rows_.end());
  sent_rows_ = rows_.size();
  sent_lines_ = FittingLinesLocked();
  sent_dropped_lines_ = dropped_lines_;
  request->set_log_data(JoinLinesLocked(sent_lines_));
  request->set_checkpoint(checkpoint_.Send());
  request->set_best_scales(best_scales_.Send());
  request->set_content_key(content_key_.Send());
}

void TaskReport::Confirm() {
  MutexLock lock(&mutex_);
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(sent_rows_));
  for (; sent_lines_ > 0; --sent_lines_) {
    line_bytes_ -= lines_.front().size();
    lines_.pop_front();
  }
  dropped_lines_ -= sent_dropped_lines_;
  checkpoint_.Confirm();
  best_scales_.Confirm();
  content_key_.Confirm();
  sent_rows_ = 0;
  sent_dropped_lines_ = 0;
}

bool TaskReport::HasLongLog() const {
  MutexLock lock(&mutex_);
  return FittingLinesLocked() < lines_.size();
}

std::string TaskReport::NextLog() const {
  MutexLock lock(&mutex_);
  return JoinLinesLocked(FittingLinesLocked());
}

std::string TaskReport::UnconfirmedCheckpoint() const {
  MutexLock lock(&mutex_);
  return checkpoint_.value;
}

}  // namespace sasq
