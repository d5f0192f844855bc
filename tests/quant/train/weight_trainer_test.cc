#include "quant/train/weight_trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <vector>

#include "common/rpc_status.h"
#include "quant/model/decoder.h"
#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_builder.h"
#include "quant/model/model_parts.h"
#include "quant/model/next_token_loss.h"
#include "quant/train/fake_quantize_rows.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

constexpr int kBits = 4;  // so that there is something to train away

// The student as one would write it with LibTorch alone.
class PlainStudent final : public SiteExecutor {
 public:
  explicit PlainStudent(const Model& model) : model_(model) {
    FloatLinears linears(model);
    for (const SiteId site : model.sites()) {
      weights.push_back(linears.Weights(site).clone().set_requires_grad(true));
    }
  }

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t) override {
    const size_t i = static_cast<size_t>(SiteIndex(site));
    return at::linear(StraightThroughRows(x, kBits), StraightThroughRows(weights[i], kBits),
                      SiteBias(model_.parts().linears[i], at::kCPU));
  }

  std::vector<at::Tensor> weights;  // leaves, stacked

 private:
  const Model& model_;
};

class WeightTrainerTest : public ::testing::Test {
 protected:
  WeightTrainerTest() {
    TinyModelOptions options;
    options.architecture = "Qwen2ForCausalLM";  // with biases
    teacher_ = Model::Load(MakeTinyModel(options)).value();
    for (int32_t i = 0; i < 48; ++i) window_.push_back((i * i * 5 + i * 3 + 1) % 256);
    options_.weight_bits = kBits;
    options_.activation_bits = kBits;
  }

  at::Tensor TeacherHidden() const {
    return Forward(*teacher_, window_, *MakeFloatExecutor(teacher_)).value();
  }

  // Divergence of `model`, quantized by the path that serves it, from the teacher.
  double ServedDivergence(const std::shared_ptr<const Model>& model) const {
    QuantizationRules rules;
    rules.sites.assign(model->sites().size(), {SitePrecision::kDynamic, 0});
    rules.activation_bits = kBits;
    const auto executor =
        MakeQuantizedExecutor(QuantizedWeights::Create(model, {}, kBits).value(), rules).value();
    const at::Tensor hidden = Forward(*model, window_, *executor).value();
    const SequenceLoss loss =
        NextTokenLoss(*teacher_).ComputeDistillation(hidden, TeacherHidden(), 0).value();
    return loss.sum_nats / static_cast<double>(loss.count);
  }

  std::shared_ptr<const Model> teacher_;
  std::vector<int32_t> window_;
  WeightTrainerOptions options_;
};

// After its first step Adam has moved each weight by the learning rate against its gradient's sign.
TEST_F(WeightTrainerTest, FirstStepFollowsTheGradientOfAutograd) {
  constexpr float kRate = 1e-3f;
  options_.learning_rate = static_cast<double>(kRate);
  options_.step_count = 2;
  const auto trainer = WeightTrainer::Create(teacher_, options_).value();
  const double divergence = trainer->Step(window_, {}).value();
  const std::shared_ptr<const Model> trained = trainer->Finish().value();

  PlainStudent student(*teacher_);
  const at::AutoGradMode with_grad(true);
  const Decoder decoder(*teacher_, {.token_count = 48}, 0);
  at::Tensor hidden = decoder.Embed(window_).value();
  for (int layer = 0; layer < teacher_->config().layer_count; ++layer) {
    hidden = decoder.RunLayer(layer, hidden, student, {}).value();
  }
  const at::Tensor head = FloatTensor(teacher_->parts().head, at::kCPU);
  const at::Tensor q = at::log_softmax(at::matmul(decoder.FinalNorm(hidden), head.t()), 1);
  const at::Tensor p = at::log_softmax(at::matmul(TeacherHidden(), head.t()), 1);
  const at::Tensor loss = (p.exp() * (p - q)).sum(1).mean();
  torch::autograd::backward({loss}, {});

  // The same numbers but for the order of float sums; a code that flips costs a few 1e-4.
  EXPECT_NEAR(divergence, loss.item<double>(), 1e-3 * divergence);
  FloatLinears before(*teacher_);
  FloatLinears after(*trained);
  const at::NoGradGuard no_grad;
  for (const SiteId site : teacher_->sites()) {
    const at::Tensor& gradient = student.weights[static_cast<size_t>(SiteIndex(site))].grad();
    const at::Tensor moved = after.Weights(site) - before.Weights(site);
    // Gradients that are not small beside the site's largest have the same sign both ways.
    const at::Tensor clear = gradient.abs() > 0.02f * gradient.abs().max();
    EXPECT_GT(clear.sum().item<int64_t>(), gradient.numel() / 10) << SiteName(site);
    const at::Tensor off = (moved + kRate * gradient.sign()).abs();
    // Weights near 1 are good to 2^-24.
    EXPECT_LT(off.masked_select(clear).max().item<float>(), 1e-3f * kRate) << SiteName(site);
  }
}

TEST_F(WeightTrainerTest, LowersTheDivergenceOfTheServedModel) {
  options_.learning_rate = 2e-3;
  options_.step_count = 20;
  const auto trainer = WeightTrainer::Create(teacher_, options_).value();
  std::vector<double> losses;
  for (int step = 0; step < 20; ++step) losses.push_back(trainer->Step(window_, {}).value());
  const std::shared_ptr<const Model> trained = trainer->Finish().value();
  const double before = ServedDivergence(teacher_);
  const double after = ServedDivergence(trained);
  // The first step's loss is that of the teacher's own integers: float sums instead of exact ones.
  EXPECT_NEAR(losses.front(), before, 1e-2 * before);
  EXPECT_LT(losses.back(), 0.7 * losses.front());
  EXPECT_LT(after, 0.7 * before);
}

TEST_F(WeightTrainerTest, FloatFirstTokensAreNotScored) {
  const double with_first =
      WeightTrainer::Create(teacher_, options_).value()->Step(window_, {}).value();
  options_.leading_tokens_float = true;
  const double without_first =
      WeightTrainer::Create(teacher_, options_).value()->Step(window_, {}).value();
  EXPECT_NE(with_first, without_first);
}

TEST_F(WeightTrainerTest, Stops) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(WeightTrainer::Create(teacher_, options_)
                .value()
                ->Step(window_, stop.get_token())
                .status()
                .code(),
            absl::StatusCode::kCancelled);
}

TEST_F(WeightTrainerTest, SaysThatItDiverged) {
  ModelBuilder builder(teacher_);
  builder.head().mul_(1e38f);  // logits beyond float's range
  const std::shared_ptr<const Model> broken = builder.Build();
  const absl::Status status =
      WeightTrainer::Create(broken, options_).value()->Step(window_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "DIVERGED");
}

}  // namespace
}  // namespace sasq::testing
