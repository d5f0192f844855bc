// How a job's progress looks: pure functions of what is known, the time and the width.
#ifndef SASQ_CLIENT_PROGRESS_H_
#define SASQ_CLIENT_PROGRESS_H_

#include <deque>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/terminal.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

// The latest state of a job and what follows from the ones before. Thread-compatible.
class ProgressTracker {
 public:
  void Update(const v1::Job& job, absl::Time now);

  const v1::Job& job() const { return job_; }
  // Since the job entered its state or began, as seen here.
  absl::Duration Elapsed(absl::Time now) const;
  // Over the last 15 seconds of reports; 0 while unknown.
  double tokens_per_second() const { return tokens_per_second_; }
  // The worker's estimate, counted down since it came. Negative while unknown.
  absl::Duration Remaining(absl::Time now) const;

 private:
  struct Sample {
    absl::Time time;
    int64_t token_count;
  };

  v1::Job job_;
  absl::Time last_update_ = absl::InfinitePast();
  absl::Time state_start_ = absl::InfinitePast();
  std::deque<Sample> samples_;
  double tokens_per_second_ = 0;
};

// Share of the job that is done: 0..1, and in whole percent, rounded down.
double FractionOf(const v1::Job& job);
int PercentOf(const v1::Job& job);

// What the job is doing, such as `training sasq`, `measuring static_mse` or `queued`.
std::string DescribeActivity(const v1::Job& job);

// One or two lines of at most `width` columns for a live display. `frame` turns the spinner.
std::vector<std::string> RenderLive(const ProgressTracker& tracker, absl::Time now, int frame,
                                    int width, const TextStyle& style);

// One line for a log: `training sasq: step 34/60, loss 3.214, 142 tokens/s, 57%, 3m12s left`.
std::string RenderPlain(const ProgressTracker& tracker, absl::Time now);

// A bar of `columns` columns that is `fraction` (0..1) full.
std::string RenderBar(double fraction, int columns, const TextStyle& style);

}  // namespace sasq

#endif  // SASQ_CLIENT_PROGRESS_H_
