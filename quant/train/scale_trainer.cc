#include "quant/train/scale_trainer.h"

#include <ATen/core/Tensor.h>

#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
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
  SasqTrainer(std::shared_ptr<const BackwardWeights> weights, QuantizationRules rules,
              ScaleTrainerOptions options)
      : weights_(std::move(weights)),
        initial_rules_(std::move(rules)),
        options_(std::move(options)),
        loss_(weights_->forward().model()),
        teacher_(MakeFloatExecutor(weights_->forward().shared_model())) {
    const size_t size = initial_rules_.sites.size();
    state_.fingerprint = options_.fingerprint;
    state_.theta.assign(size, 0);
    state_.previous_theta.assign(size, 0);
    state_.gradient_squares.assign(size, 0);
    state_.moments.first.assign(size, 0);
    state_.moments.second.assign(size, 0);
  }

  absl::StatusOr<TrainingStep> Step(absl::Span<const int32_t> window,
                                    std::stop_token stop) override;

  int64_t step() const override { return static_cast<int64_t>(state_.history.size()); }
  QuantizationRules rules() const override;
  std::vector<double> gradient_shares() const override;
  absl::Span<const TrainingStep> history() const override { return state_.history; }
  std::string Checkpoint() const override { return SerializeTrainingState(state_); }
  absl::Status Restore(absl::string_view checkpoint) override;

 private:
  // Constant after construction.
  const std::shared_ptr<const BackwardWeights> weights_;
  const QuantizationRules initial_rules_;
  const ScaleTrainerOptions options_;

  NextTokenLoss loss_;
  const std::unique_ptr<SiteExecutor> teacher_;
  TrainingState state_;
};

absl::StatusOr<TrainingStep> SasqTrainer::Step(absl::Span<const int32_t> window,
                                               std::stop_token stop) {
  const int64_t step = this->step() + 1;
  if (step > options_.step_count) {
    return absl::FailedPreconditionError(
        absl::StrCat("all ", options_.step_count, " training steps are done"));
  }
  const QuantizationRules rules = this->rules();
  TrainingWindow training_window = {.tokens = window,
                                    .prefix = options_.prefix.get(),
                                    .first_position = rules.leading_tokens_float ? 1 : 0};
  at::Tensor teacher_hidden;
  if (options_.loss == ScaleLoss::kDivergence) {
    SASQ_ASSIGN_OR_RETURN(teacher_hidden, Forward(weights_->forward().model(), window, *teacher_,
                                                  {.past = options_.prefix.get(), .stop = stop}));
    training_window.teacher_hidden = &teacher_hidden;
  }
  SASQ_ASSIGN_OR_RETURN(
      ScaleGradients gradients,
      ComputeScaleGradients(*weights_, loss_, rules, training_window, std::move(stop)));
  if (!std::isfinite(gradients.loss)) {
    state_.theta = state_.previous_theta;
    return Diverged(step, "a loss", gradients.loss);
  }
  double squares = 0;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    gradients.gradient[i] *= static_cast<double>(rules.sites[i].scale);  // d s / d theta = s
    squares += gradients.gradient[i] * gradients.gradient[i];
  }
  if (!std::isfinite(squares)) {
    state_.theta = state_.previous_theta;
    return Diverged(step, "a squared gradient norm", squares);
  }
  for (size_t i = 0; i < gradients.gradient.size(); ++i) {
    state_.gradient_squares[i] += gradients.gradient[i] * gradients.gradient[i];
  }

  TrainingStep done;
  done.step = step;
  done.loss = gradients.loss;
  done.learning_rate = CosineLearningRate(options_.learning_rate, options_.warmup_step_count,
                                          options_.step_count, step);
  done.gradient_norm = std::sqrt(squares);
  done.token_count = static_cast<int64_t>(window.size());
  state_.previous_theta = state_.theta;
  AdamStep({options_.beta1, options_.beta2, options_.epsilon}, step, done.learning_rate,
           gradients.gradient, state_.moments, absl::MakeSpan(state_.theta));
  state_.history.push_back(done);
  return done;
}

QuantizationRules SasqTrainer::rules() const {
  QuantizationRules rules = initial_rules_;
  for (size_t i = 0; i < rules.sites.size(); ++i) {
    const double initial = static_cast<double>(rules.sites[i].scale);
    rules.sites[i].scale = static_cast<float>(initial * std::exp(state_.theta[i]));
  }
  return rules;
}

std::vector<double> SasqTrainer::gradient_shares() const {
  std::vector<double> shares = state_.gradient_squares;
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share = sum > 0 ? share / sum : 0;
  return shares;
}

absl::Status SasqTrainer::Restore(absl::string_view checkpoint) {
  SASQ_ASSIGN_OR_RETURN(TrainingState state, ParseTrainingState(checkpoint));
  if (state.fingerprint != options_.fingerprint) {
    return absl::FailedPreconditionError(
        absl::StrCat("the training checkpoint is of another run: its fingerprint is \"",
                     state.fingerprint, "\", want \"", options_.fingerprint, "\""));
  }
  if (state.theta.size() != initial_rules_.sites.size() ||
      static_cast<int64_t>(state.history.size()) > options_.step_count) {
    return absl::FailedPreconditionError(
        absl::StrCat("the training checkpoint is of another run: it has ", state.theta.size(),
                     " scales and ", state.history.size(), " steps, want ",
                     initial_rules_.sites.size(), " and at most ", options_.step_count));
  }
  state_ = std::move(state);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<ScaleTrainer>> ScaleTrainer::Create(
    std::shared_ptr<const QuantizedWeights> weights, QuantizationRules rules,
    ScaleTrainerOptions options) {
  SASQ_RETURN_IF_ERROR(CheckOptions(options));
  SASQ_RETURN_IF_ERROR(CheckRules(weights->model(), rules));
  SASQ_ASSIGN_OR_RETURN(std::shared_ptr<const BackwardWeights> backward_weights,
                        BackwardWeights::Create(std::move(weights)));
  return std::make_unique<SasqTrainer>(std::move(backward_weights), std::move(rules),
                                       std::move(options));
}

}  // namespace sasq
