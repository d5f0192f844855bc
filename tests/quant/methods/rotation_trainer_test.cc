#include "quant/methods/rotation_trainer.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "common/rpc_status.h"
#include "quant/model/forward.h"
#include "quant/model/int8_linear.h"
#include "quant/model/model_builder.h"
#include "quant/model/next_token_loss.h"
#include "quant/train/fake_quantize_rows.h"
#include "quant/train/stiefel.h"
#include "tests/quant/methods/transformed_model.h"

namespace sasq::testing {
namespace {

constexpr int kBits = 4;  // so that rounding is a large part of the loss

Rotations Identities(const Model& model, bool online_down) {
  Rotations rotations;
  rotations.residual = at::eye(model.config().hidden_size, at::kDouble);
  rotations.values.assign(static_cast<size_t>(model.config().layer_count),
                          at::eye(model.config().head_dim, at::kDouble));
  rotations.online_down = online_down;
  return rotations;
}

// Numbers of about 1 without a meaning.
at::Tensor Direction(at::IntArrayRef sizes) {
  const at::Tensor x = at::empty(sizes, at::kDouble);
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.mutable_data_ptr<double>()[i] = std::sin(0.37 * static_cast<double>(i * i % 1009) + 1);
  }
  return x;
}

double MeanLoss(const Model& model, SiteExecutor& executor, absl::Span<const int32_t> window) {
  const at::Tensor hidden = Forward(model, window, executor).value();
  const SequenceLoss loss = NextTokenLoss(model).Compute(hidden, window, 0).value();
  return loss.sum_nats / static_cast<double>(loss.count);
}

// Float linears of rounded activations: what a rotated model is served with, but for its weights.
class RoundingExecutor final : public SiteExecutor {
 public:
  explicit RoundingExecutor(const Model& model) : linears_(model) {}
  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t) override {
    return linears_.Run(site, FakeQuantizeRows(x, kBits));
  }

 private:
  FloatLinears linears_;
};

// The network whose exact gradient the straight-through rule gives: what rounding added to x R at
// the start is added to it as a constant.
class ConstantNoiseExecutor final : public SiteExecutor {
 public:
  ConstantNoiseExecutor(const Model& model, const Rotations& start)
      : rotations(start), linears_(model) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t) override {
    at::Tensor rotation;
    if (site.kind == SiteKind::kOIn) {
      rotation = rotations.values[static_cast<size_t>(site.layer)].to(at::kFloat);
    } else if (site.kind != SiteKind::kDownIn) {
      rotation = rotations.residual.to(at::kFloat);
    }
    const auto multiply = [&](const at::Tensor& y, const at::Tensor& right) {
      if (!right.defined()) return y;
      return at::matmul(y.reshape({y.size(0), -1, right.size(0)}), right).view(y.sizes());
    };
    const at::Tensor rotated = multiply(x, rotation);
    at::Tensor& noise = noise_[site];
    if (!noise.defined()) noise = FakeQuantizeRows(rotated, kBits) - rotated;
    return linears_.Run(site,
                        multiply(rotated + noise, rotation.defined() ? rotation.t() : rotation));
  }

  Rotations rotations;

 private:
  FloatLinears linears_;
  std::map<SiteId, at::Tensor> noise_;
};

class RotationTrainerTest : public ::testing::Test {
 protected:
  RotationTrainerTest()
      : model_(WithOutliers(Model::Load(MakeTinyModel()).value(), 3)), window_(SomeTokens(64)) {
    folded_ = RotateModel(model_, Identities(*model_, false), {}).value();
    options_.activation_bits = kBits;
    options_.step_count = 40;
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const Model> folded_;
  std::vector<int32_t> window_;
  RotationTrainerOptions options_;
};

// Rotating x around the rounding alone is the same as rotating the residual stream and the weights.
TEST_F(RotationTrainerTest, LossIsThatOfTheRotatedModel) {
  const auto float_executor = MakeFloatExecutor(model_);
  const double float_loss = MeanLoss(*model_, *float_executor, window_);
  for (const bool online_down : {false, true}) {
    const Rotations start = HadamardRotations(*model_, online_down, 3).value();
    const auto folded = RotateModel(model_, Identities(*model_, online_down), {}).value();
    RotationTrainer trainer(folded, start, options_);
    const double ours = trainer.ComputeGradients(window_, {}).value().loss;
    const auto rotated = RotateModel(model_, start, {}).value();
    RoundingExecutor executor(*rotated);
    const double want = MeanLoss(*rotated, executor, window_);
    // Float rounding moves some activation over the border of two codes now and then.
    EXPECT_NEAR(ours, want, 3e-3);
    EXPECT_GT(std::abs(want - float_loss), 0.02);
    RoundingExecutor unrotated(*folded);
    EXPECT_GT(std::abs(MeanLoss(*folded, unrotated, window_) - want), 0.02);
  }
}

TEST_F(RotationTrainerTest, GradientIsThatOfFiniteDifferences) {
  const Rotations start = HadamardRotations(*model_, false, 3).value();
  RotationTrainer trainer(folded_, start, options_);
  const RotationGradients gradients = trainer.ComputeGradients(window_, {}).value();
  ConstantNoiseExecutor executor(*folded_, start);
  EXPECT_NEAR(MeanLoss(*folded_, executor, window_), gradients.loss, 1e-4);

  const auto slope = [&](auto move) {
    // Losses of about 6 are good to 1e-6, so a difference over 2 h to 1e-6 / h.
    constexpr double kStep = 2e-3;
    double losses[2];
    for (const int side : {0, 1}) {
      executor.rotations = start;
      move(side == 0 ? -kStep : kStep);
      losses[side] = MeanLoss(*folded_, executor, window_);
    }
    return (losses[1] - losses[0]) / (2 * kStep);
  };
  // Any direction at all, off the manifold too, and one along it: R A with a skew-symmetric A.
  const at::Tensor any = Direction(start.residual.sizes()) / 8;
  const at::Tensor tangent = at::matmul(start.residual, any - any.t());
  for (const at::Tensor& direction : {any, tangent}) {
    const double want =
        slope([&](double h) { executor.rotations.residual = start.residual + h * direction; });
    const double got = (gradients.residual * direction).sum().item<double>();
    EXPECT_NEAR(got, want, 0.02 * std::abs(want) + 2e-3);
    EXPECT_GT(std::abs(want), 0.02);
  }
  for (int64_t layer = 0; layer < 2; ++layer) {
    const at::Tensor direction = Direction(start.values[0].sizes());
    const double want = slope([&](double h) {
      at::Tensor& rotation = executor.rotations.values[static_cast<size_t>(layer)];
      rotation = rotation + h * direction;
    });
    const double got = (gradients.values.select(0, layer) * direction).sum().item<double>();
    EXPECT_NEAR(got, want, 0.02 * std::abs(want) + 2e-3);
    EXPECT_GT(std::abs(want), 0.02);
  }
}

TEST_F(RotationTrainerTest, LearnsToSpreadOutliers) {
  RotationTrainer trainer(folded_, Identities(*model_, false), options_);
  std::vector<double> losses;
  for (int64_t step = 0; step < options_.step_count; ++step) {
    const RotationStep done = trainer.Step(window_, {}).value();
    losses.push_back(done.loss);
    EXPECT_GT(done.flop_count, 0);
  }
  const auto float_executor = MakeFloatExecutor(model_);
  const double float_loss = MeanLoss(*model_, *float_executor, window_);
  const double last = trainer.ComputeGradients(window_, {}).value().loss;
  // Most of what rounding costs before anything is learned is gone.
  EXPECT_LT(last - float_loss, 0.5 * (losses.front() - float_loss))
      << losses.front() << " -> " << last << ", float " << float_loss;
  const Rotations& learned = trainer.rotations();
  EXPECT_LT(OrthogonalityError(learned.residual), 1e-5);
  EXPECT_LT(OrthogonalityError(at::stack(learned.values)), 1e-5);
  EXPECT_GT((learned.residual - at::eye(64, at::kDouble)).abs().max().item<double>(), 0.05);
  // And what was learned changes nothing of the float model.
  EXPECT_LT(LogitDistance(model_, RotateModel(model_, learned, {}).value()), kFloatRounding);
}

TEST_F(RotationTrainerTest, FloatFirstTokensAreNotScored) {
  const Rotations start = Identities(*model_, false);
  const double with_first =
      RotationTrainer(folded_, start, options_).ComputeGradients(window_, {}).value().loss;
  options_.leading_tokens_float = true;
  const double without_first =
      RotationTrainer(folded_, start, options_).ComputeGradients(window_, {}).value().loss;
  EXPECT_NE(with_first, without_first);
}

TEST_F(RotationTrainerTest, StopsAndSaysThatItDiverged) {
  std::stop_source stop;
  stop.request_stop();
  const Rotations start = Identities(*model_, false);
  EXPECT_EQ(
      RotationTrainer(folded_, start, options_).Step(window_, stop.get_token()).status().code(),
      absl::StatusCode::kCancelled);

  ModelBuilder builder(folded_);
  builder.head().mul_(1e38f);  // logits beyond float's range
  RotationTrainer trainer(builder.Build(), start, options_);
  const absl::Status status = trainer.Step(window_, {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(status), "DIVERGED");
  EXPECT_EQ((trainer.rotations().residual - start.residual).abs().max().item<double>(), 0);
}

}  // namespace
}  // namespace sasq::testing
