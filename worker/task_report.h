// What a running task has told and the coordinator has not confirmed yet.
#ifndef SASQ_WORKER_TASK_REPORT_H_
#define SASQ_WORKER_TASK_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/mutex.h"
#include "common/trace.h"
#include "worker/task_runner.h"
#include "worker/worker_metrics.h"

namespace sasq {

// The API's limits on one message (dispatch_service.proto).
inline constexpr size_t kMaxLogBytesPerMessage = 64 * 1024;
inline constexpr size_t kMaxCheckpointBytes = 1024 * 1024;
// Longest line of a job's log; the rest of a longer one is cut off.
inline constexpr size_t kMaxLogLineBytes = 4 * 1024;
// Log kept while the coordinator cannot be reached; the oldest lines go first, and are counted.
inline constexpr size_t kMaxPendingLogBytes = 1024 * 1024;

// Where the spans of a task's stages go.
struct TaskTrace {
  const Tracer* tracer = &Tracer::Off();
  TraceContext attempt;  // the span that they belong to
};

// Thread-safe: the task tells, the heartbeat asks.
class TaskReport final : public TaskObserver {
 public:
  // `clock`, `metrics` and the tracer are borrowed.
  TaskReport(const Clock* clock, WorkerMetrics* metrics, TaskTrace trace = {});
  // Accounts for the last stage's time.
  ~TaskReport() override;

  void OnProgress(const v1::Progress& progress) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRow(const v1::ReportRow& row) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnQuality(const RowQuality& quality) override { metrics_->Judged(quality); }
  void OnDivergence(v1::Method method) override { metrics_->Diverged(method); }
  // Puts the time before the line. A newline inside it becomes a blank.
  void OnLog(absl::string_view line) override ABSL_LOCKS_EXCLUDED(mutex_);
  // One that is longer than kMaxCheckpointBytes is not kept, and the log says so.
  void OnCheckpoint(std::string checkpoint) override ABSL_LOCKS_EXCLUDED(mutex_);
  // One that is longer than kMaxCheckpointBytes is dropped.
  void OnBestScales(std::string pack) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnContentKey(std::string key) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Adds what is not confirmed yet to a heartbeat. A second call before Confirm adds it again,
  // with what came since.
  void Fill(dispatch::v1::HeartbeatRequest* request) ABSL_LOCKS_EXCLUDED(mutex_);
  // The heartbeat of the last Fill was answered.
  void Confirm() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string& trace_id() const { return trace_.attempt.trace_id; }

  // Whether one message cannot hold the rest of the log.
  bool HasLongLog() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The next part of the log that was not confirmed, whole lines, within kMaxLogBytesPerMessage.
  std::string NextLog() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The latest checkpoint, or an empty string if the coordinator has it.
  std::string UnconfirmedCheckpoint() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Something of which only the latest value counts.
  struct Latest {
    std::string value;
    int64_t version = 0;
    int64_t sent_version = 0;  // of the last Fill

    void Set(std::string latest) {
      value = std::move(latest);
      ++version;
    }
    const std::string& Send() {
      sent_version = version;
      return value;
    }
    void Confirm() {
      if (sent_version == version) value.clear();
    }
  };

  // The span of the stage that the task is in now.
  Span StartStage(const v1::Progress& progress) const;
  // Adds a line with its newline, and drops the oldest ones where there are too many.
  void AppendLogLocked(std::string line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How many lines from the front fit one message.
  size_t FittingLinesLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string JoinLinesLocked(size_t count) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  const Clock* const clock_;
  WorkerMetrics* const metrics_;
  const TaskTrace trace_;

  mutable Mutex mutex_;
  std::optional<v1::Progress> progress_ ABSL_GUARDED_BY(mutex_);
  Stopwatch stage_time_ ABSL_GUARDED_BY(mutex_);  // of progress_'s stage
  Span stage_span_ ABSL_GUARDED_BY(mutex_);       // of progress_'s stage and subject
  std::vector<v1::ReportRow> rows_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> lines_ ABSL_GUARDED_BY(mutex_);  // each with its newline
  size_t line_bytes_ ABSL_GUARDED_BY(mutex_) = 0;          // sum over lines_
  int64_t dropped_lines_ ABSL_GUARDED_BY(mutex_) = 0;      // not told of yet
  // Empty once confirmed.
  Latest checkpoint_ ABSL_GUARDED_BY(mutex_);
  Latest best_scales_ ABSL_GUARDED_BY(mutex_);
  Latest content_key_ ABSL_GUARDED_BY(mutex_);

  // What the last Fill took from the fronts.
  size_t sent_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t sent_lines_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t sent_dropped_lines_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace sasq

#endif  // SASQ_WORKER_TASK_REPORT_H_
