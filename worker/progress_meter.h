// How far an attempt is, and how long it will still take.
#ifndef SASQ_WORKER_PROGRESS_METER_H_
#define SASQ_WORKER_PROGRESS_METER_H_

#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"
#include "sasq/v1/job.pb.h"
#include "worker/task_runner.h"

namespace sasq {

// Work is counted in tokens, weighted by what a token costs in each stage. One thread.
class ProgressMeter {
 public:
  // Cost of a token, with one forward pass in float32 as the unit.
  static constexpr double kFloatForward = 1.0;
  static constexpr double kInt8Forward = 0.6;
  static constexpr double kTrainingStep = 2.0;

  // Reports to `observer`, which must outlive the meter.
  explicit ProgressMeter(TaskObserver* observer) : observer_(observer) {}

  // Adds work that is to be done.
  void Plan(int64_t token_count, double cost_per_token);

  // Planned work that an earlier attempt did already.
  void Skip(int64_t token_count, double cost_per_token);

  // What a stage does: `step_count` steps of `tokens_per_step` tokens.
  struct Work {
    int64_t step_count = 0;
    int64_t tokens_per_step = 0;
    double cost_per_token = 0;
    int64_t skipped_steps = 0;  // done by an earlier attempt
  };
  // A stage begins; `subject` names the recipe.
  void Begin(v1::Stage stage, std::string subject, Work work);
  // `step` steps of the stage are done. `loss`: of the latest training step.
  void Advance(int64_t step, std::optional<double> loss = std::nullopt);

 private:
  void Report();

  // Constant after construction.
  TaskObserver* const observer_;
  const Stopwatch stopwatch_;

  v1::Progress progress_;
  Work work_;           // of the present stage
  double planned_ = 0;  // work in all
  double skipped_ = 0;  // of that, done by earlier attempts
  double done_ = 0;     // of that, done by this attempt
};

}  // namespace sasq

#endif  // SASQ_WORKER_PROGRESS_METER_H_
