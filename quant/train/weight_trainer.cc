#include "quant/train/weight_trainer.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/variable.h>

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/model/site_executor.h"
#include "quant/model/torch_guard.h"
#include "quant/train/adam.h"
#include "quant/train/fake_quantize_rows.h"
#include "quant/train/layerwise_pass.h"

namespace sasq {
namespace {

absl::Status Diverged(int64_t step, absl::string_view what) {
  return WithReason(
      absl::FailedPreconditionError(absl::StrCat("training step ", step, " met a ", what,
                                                 " that is not finite; lower "
                                                 "training.learning_rate")),
      "DIVERGED");
}

// What is trained of one site.
struct SiteState {
  at::Tensor weights;  // stacked, [out_features, in_features]
  at::Tensor first;    // Adam's moments
  at::Tensor second;
  std::optional<at::Tensor> bias;
};

// The student's linears. Their backward pass updates them.
class StudentExecutor final : public SiteExecutor {
 public:
  StudentExecutor(const Model& teacher, const WeightTrainerOptions& options);

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override;

  // Before the passes of step 1, 2, ...
  void BeginStep(int64_t step, double learning_rate) {
    step_ = step;
    learning_rate_ = learning_rate;
  }
  // d loss / d x_hat of a site that got `x_hat`; updates its weights.
  at::Tensor Backward(SiteId site, const at::Tensor& x_hat, const at::Tensor& grad_y);

  // Whether every gradient so far was finite.
  bool finite() const { return finite_; }
  std::vector<SiteState>& sites() { return sites_; }

 private:
  SiteState& state(SiteId site) { return sites_[static_cast<size_t>(SiteIndex(site))]; }
  void Update(SiteState& state, const at::Tensor& gradient);

  const WeightTrainerOptions options_;
  std::vector<SiteState> sites_;
  int64_t step_ = 0;
  double learning_rate_ = 0;
  bool finite_ = true;
};

// The backward pass of one site.
class StudentNode final : public torch::autograd::Node {
 public:
  StudentNode(torch::autograd::edge_list edges, StudentExecutor& executor, SiteId site,
              at::Tensor x_hat)
      : Node(std::move(edges)), executor_(executor), site_(site), x_hat_(std::move(x_hat)) {}

  std::string name() const override { return "StudentNode"; }

 protected:
  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    const at::NoGradGuard no_grad;
    return {executor_.Backward(site_, x_hat_, grads[0])};
  }

 private:
  StudentExecutor& executor_;
  const SiteId site_;
  const at::Tensor x_hat_;
};

StudentExecutor::StudentExecutor(const Model& teacher, const WeightTrainerOptions& options)
    : options_(options) {
  FloatLinears linears(teacher);
  for (const SiteId site : teacher.sites()) {
    SiteState& state = sites_.emplace_back();
    state.weights = linears.Weights(site).clone();
    state.first = at::zeros_like(state.weights);
    state.second = at::zeros_like(state.weights);
    state.bias = SiteBias(teacher.parts().linears[static_cast<size_t>(SiteIndex(site))],
                          teacher.parts().device);
  }
}

absl::StatusOr<at::Tensor> StudentExecutor::Run(SiteId site, const at::Tensor& x,
                                                int64_t leading_rows) {
  const SiteState& state = this->state(site);
  at::Tensor x_hat, y;
  {
    const at::NoGradGuard no_grad;
    x_hat = FakeQuantizeRows(x, options_.activation_bits,
                             options_.leading_tokens_float ? leading_rows : 0);
    y = at::linear(x_hat, FakeQuantizeRows(state.weights, options_.weight_bits), state.bias);
  }
  if (at::GradMode::is_enabled()) {
    const std::shared_ptr<StudentNode> node(
        new StudentNode(torch::autograd::collect_next_edges(x), *this, site, std::move(x_hat)),
        torch::autograd::deleteNode);
    torch::autograd::create_gradient_edge(y, node);
  }
  return y;
}

at::Tensor StudentExecutor::Backward(SiteId site, const at::Tensor& x_hat,
                                     const at::Tensor& grad_y) {
  SiteState& state = this->state(site);
  at::Tensor grad_x = at::matmul(grad_y, FakeQuantizeRows(state.weights, options_.weight_bits));
  Update(state, at::matmul(grad_y.t(), x_hat));
  return grad_x;
}

void StudentExecutor::Update(SiteState& state, const at::Tensor& gradient) {
  finite_ = finite_ && std::isfinite(gradient.sum().item<float>());
  const double step = static_cast<double>(step_);
  const double correction1 = 1 - std::pow(options_.beta1, step);
  const double correction2 = 1 - std::pow(options_.beta2, step);
  state.first.mul_(options_.beta1).add_(gradient, 1 - options_.beta1);
  state.second.mul_(options_.beta2).addcmul_(gradient, gradient, 1 - options_.beta2);
  const at::Tensor denominator =
      state.second.sqrt().mul_(1 / std::sqrt(correction2)).add_(options_.epsilon);
  state.weights.addcdiv_(state.first, denominator, -learning_rate_ / correction1);
}

class LlmQatTrainer final : public WeightTrainer {
 public:
  LlmQatTrainer(std::shared_ptr<const Model> teacher, WeightTrainerOptions options)
      : teacher_(std::move(teacher)),
        options_(options),
        teacher_executor_(MakeFloatExecutor(teacher_)),
        student_(*teacher_, options),
        loss_(*teacher_) {}

  absl::StatusOr<double> Step(absl::Span<const int32_t> window, std::stop_token stop) override {
    SASQ_CHECK(step_ < options_.step_count);
    return CatchTorchOr([&]() -> absl::StatusOr<double> { return RunStep(window, stop); });
  }

  absl::StatusOr<std::shared_ptr<const Model>> Finish() override {
    return CatchTorchOr([&]() -> absl::StatusOr<std::shared_ptr<const Model>> {
      // The builder copies every weight: the moments make room for it.
      for (SiteState& state : student_.sites()) {
        state.first.reset();
        state.second.reset();
      }
      ModelBuilder builder(teacher_);
      for (const SiteId site : teacher_->sites()) {
        SiteState& state = student_.sites()[static_cast<size_t>(SiteIndex(site))];
        const at::Tensor stacked = std::exchange(state.weights, {}).cpu();
        int64_t row = 0;
        for (at::Tensor& weights : builder.weights(site)) {
          weights = stacked.narrow(0, row, weights.size(0));
          row += weights.size(0);
        }
      }
      return builder.Build();
    });
  }

 private:
  absl::StatusOr<double> RunStep(absl::Span<const int32_t> window, const std::stop_token& stop) {
    SASQ_ASSIGN_OR_RETURN(const at::Tensor target,
                          Forward(*teacher_, window, *teacher_executor_, {.stop = stop}));
    student_.BeginStep(step_ + 1,
                       CosineLearningRate(options_.learning_rate, options_.warmup_step_count,
                                          options_.step_count, step_ + 1));
    LayerwisePass pass(*teacher_, student_, window, {.graphs_hold_rounding = true, .stop = stop});
    SASQ_ASSIGN_OR_RETURN(const at::Tensor hidden, pass.Forward());
    at::Tensor grad_hidden;
    SASQ_ASSIGN_OR_RETURN(
        const SequenceLoss loss,
        loss_.ComputeDistillation(hidden, target, options_.leading_tokens_float ? 1 : 0, stop,
                                  &grad_hidden));
    const double mean = loss.sum_nats / static_cast<double>(loss.count);
    if (!std::isfinite(mean)) return Diverged(step_ + 1, "loss");
    SASQ_RETURN_IF_ERROR(pass.Backward(grad_hidden));
    if (!student_.finite()) return Diverged(step_ + 1, "gradient");
    ++step_;
    return mean;
  }

  const std::shared_ptr<const Model> teacher_;
  const WeightTrainerOptions options_;
  const std::unique_ptr<SiteExecutor> teacher_executor_;
  StudentExecutor student_;
  NextTokenLoss loss_;
  int64_t step_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WeightTrainer>> WeightTrainer::Create(
    std::shared_ptr<const Model> teacher, WeightTrainerOptions options) {
  return CatchTorchOr([&]() -> absl::StatusOr<std::unique_ptr<WeightTrainer>> {
    return std::make_unique<LlmQatTrainer>(std::move(teacher), options);
  });
}

}  // namespace sasq
