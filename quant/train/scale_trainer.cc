#include "quant/train/scale_trainer.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/model/site_executor.h"
#include "quant/train/adam.h"
#include "quant/train/scale_gradients.h"
#include "quant/train/training_checkpoint.h"

namespace sasq {
namespace {

absl::Status CheckOptions(const ScaleTrainerOptions& options) {
  if (options.step_count < 1 || options.step_count > 100'000) {
    return absl::InvalidArgumentError(
        absl::StrCat("training.step_count is ", options.step_count, ", want 1..100000"));
  }
  if (!(options.learning_rate > 0 && options.learning_rate <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("training.learning_rate is ", options.learning_rate, ", want (0, 1]"));
  }
  if (options.warmup_step_count < 0 || options.warmup_step_count > options.step_count) {
    return absl::InvalidArgumentError(absl::StrCat("training.warmup_step_count is ",
                                                   options.warmup_step_count, ", want 0..",
                                                   options.step_count));
  }
  return absl::OkStatus();
}

absl::Status Diverged(int64_t step, absl::string_view what, double value) {
  return WithReason(absl::FailedPreconditionError(
                        absl::StrCat("training step ", step, " met ", what, " of ", value,
                                     "; lower training.learning_rate or start from other scales")),
                    "DIVERGED");
}

class SasqTrainer final : public ScaleTrainer {
 public:
  SasqTrainer(std::shared_ptr<const BackwardWeights> weights, std::vector<float> initial_scales,
              ScaleTrainerOptions options)
      : weights_(std::move(weights)),
        initial_scales_(std::move(initial_scales)),
        options_(std::move(options)),
        loss_(weights_->forward().model()) {
    const size_t size = initial_scales_.size();
    state_.fingerprint = options_.fingerprint;
    state_.theta.assign(size, 0);
    state_.moments.first.assign(size, 0);
    state_.moments.second.assign(size, 0);
  }

  absl::StatusOr<TrainingStep> Step(absl::Span<const int32_t> window,
                                    std::stop_token stop) override;

  int64_t step() const override { return static_cast<int64_t>(state_.history.size()); }
  std::vector<float> scales() const override;
  absl::Span<const TrainingStep> history() const override { return state_.history; }
  std::string Checkpoint() const override { return SerializeTrainingState(state_); }
  absl::Status Restore(absl::string_view checkpoint) override;

 private:
  // Constant after construction.
  const std::shared_ptr<const BackwardWeights> weights_;
  const std::vector<float> initial_scales_;
  const ScaleTrainerOptions options_;

  NextTokenLoss loss_;
  TrainingState state_;
};

absl::StatusOr<TrainingStep> SasqTrainer::Step(absl::Span<const int32_t> window,
                                               std::stop_token stop) {
  const int64_t step = this->step() + 1;
  if (step > options_.step_count) {
    return absl::FailedPreconditionError(
        absl::StrCat("all ", options_.step_count, " training steps are done"));
  }
  const std::vector<float> scales = this->scales();
  SASQ_ASSIGN_OR_RETURN(ScaleGradients gradients,
                        ComputeScaleGradients(*weights_, loss_, scales, options_.first_token_float,
                                              window, std::move(stop)));
  if (!std::isfinite(gradients.loss)) return Diverged(step, "a loss", gradients.loss);
  double squares = 0;
  for (size_t i = 0; i < scales.size(); ++i) {
    gradients.gradient[i] *= static_cast<double>(scales[i]);  // d s / d theta = s
    squares += gradients.gradient[i] * gradients.gradient[i];
  }
  if (!std::isfinite(squares)) return Diverged(step, "a squared gradient norm", squares);

  TrainingStep done;
  done.step = step;
  done.loss = gradients.loss;
  done.learning_rate = CosineLearningRate(options_.learning_rate, options_.warmup_step_count,
                                          options_.step_count, step);
  done.gradient_norm = std::sqrt(squares);
  done.token_count = static_cast<int64_t>(window.size());
  AdamStep({options_.beta1, options_.beta2, options_.epsilon}, step, done.learning_rate,
           gradients.gradient, state_.moments, absl::MakeSpan(state_.theta));
  state_.history.push_back(done);
  return done;
}

std::vector<float> SasqTrainer::scales() const {
  std::vector<float> scales(initial_scales_.size());
  for (size_t i = 0; i < scales.size(); ++i) {
    scales[i] =
        static_cast<float>(static_cast<double>(initial_scales_[i]) * std::exp(state_.theta[i]));
  }
  return scales;
}

absl::Status SasqTrainer::Restore(absl::string_view checkpoint) {
  SASQ_ASSIGN_OR_RETURN(TrainingState state, ParseTrainingState(checkpoint));
  if (state.fingerprint != options_.fingerprint) {
    return absl::FailedPreconditionError(
        absl::StrCat("the training checkpoint is of another run: its fingerprint is \"",
                     state.fingerprint, "\", want \"", options_.fingerprint, "\""));
  }
  if (state.theta.size() != initial_scales_.size() ||
      static_cast<int64_t>(state.history.size()) > options_.step_count) {
    return absl::FailedPreconditionError(
        absl::StrCat("the training checkpoint is of another run: it has ", state.theta.size(),
                     " scales and ", state.history.size(), " steps, want ", initial_scales_.size(),
                     " and at most ", options_.step_count));
  }
  state_ = std::move(state);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScaleTrainer>> ScaleTrainer::Create(
    std::shared_ptr<const QuantizedWeights> weights, std::vector<float> initial_scales,
    ScaleTrainerOptions options) {
  SASQ_RETURN_IF_ERROR(CheckOptions(options));
  SASQ_RETURN_IF_ERROR(CheckScales(weights->model(), initial_scales));
  SASQ_ASSIGN_OR_RETURN(std::shared_ptr<const BackwardWeights> backward_weights,
                        BackwardWeights::Create(std::move(weights)));
  return std::make_unique<SasqTrainer>(std::move(backward_weights), std::move(initial_scales),
                                       std::move(options));
}

}  // namespace sasq
