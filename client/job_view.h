// Shows on standard error what a job is doing while a command waits for it.
#ifndef SASQ_CLIENT_JOB_VIEW_H_
#define SASQ_CLIENT_JOB_VIEW_H_

#include <memory>
#include <string>
#include <thread>

#include "client/live_region.h"
#include "client/progress.h"
#include "client/terminal.h"
#include "common/clock.h"
#include "common/mutex.h"

namespace sasq {

// On a live terminal: a progress bar that is redrawn five times a second. Elsewhere: a line at each
// change of stage and at most every ten seconds. Measured rows, lost attempts and notes are lines
// that stay. Nothing at all when the console is quiet. Thread-safe.
class JobView {
 public:
  // Both must outlive the view.
  JobView(Console* console, const Clock* clock);
  // Takes the bar away.
  ~JobView();
  JobView(const JobView&) = delete;
  JobView& operator=(const JobView&) = delete;

  void Show(const v1::Job& job) ABSL_LOCKS_EXCLUDED(mutex_);
  void Note(absl::string_view line) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Print(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PrintNewRows(const v1::Job& job) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PrintPlain(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Constant after construction.
  Console* const console_;
  const Clock* const clock_;
  const bool is_live_;

  Mutex mutex_;
  CondVar stop_changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  ProgressTracker tracker_ ABSL_GUARDED_BY(mutex_);
  int frame_ ABSL_GUARDED_BY(mutex_) = 0;
  int shown_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string plain_activity_ ABSL_GUARDED_BY(mutex_);
  absl::Time plain_time_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  LiveRegion region_ ABSL_GUARDED_BY(mutex_);

  std::thread redrawer_;  // only when live
};

}  // namespace sasq

#endif  // SASQ_CLIENT_JOB_VIEW_H_
