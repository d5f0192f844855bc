#include "worker/progress_meter.h"

#include <algorithm>
#include <utility>

namespace sasq {

void ProgressMeter::Plan(int64_t token_count, double cost_per_token) {
  planned_ += static_cast<double>(token_count) * cost_per_token;
}

void ProgressMeter::Skip(int64_t token_count, double cost_per_token) {
  skipped_ += static_cast<double>(token_count) * cost_per_token;
}

void ProgressMeter::Begin(v1::Stage stage, std::string subject, Work work) {
  work_ = work;
  progress_.set_stage(stage);
  progress_.set_subject(std::move(subject));
  progress_.set_step(work.skipped_steps);
  progress_.set_step_count(work.step_count);
  progress_.clear_loss();
  Skip(work.skipped_steps * work.tokens_per_step, work.cost_per_token);
  Report();
}

void ProgressMeter::Advance(int64_t step, std::optional<double> loss) {
  const int64_t tokens = (step - progress_.step()) * work_.tokens_per_step;
  done_ += static_cast<double>(tokens) * work_.cost_per_token;
  progress_.set_step(step);
  progress_.set_token_count(progress_.token_count() + tokens);
  if (loss.has_value()) progress_.set_loss(*loss);
  Report();
}

void ProgressMeter::Report() {
  if (planned_ > 0) progress_.set_fraction(std::clamp((skipped_ + done_) / planned_, 0.0, 1.0));
  if (done_ > 0) {
    const double seconds =
        stopwatch_.Seconds() * std::max(0.0, planned_ - skipped_ - done_) / done_;
    progress_.mutable_remaining()->set_seconds(static_cast<int64_t>(seconds));
  }
  observer_->OnProgress(progress_);
}

}  // namespace sasq
