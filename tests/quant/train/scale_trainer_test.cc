#include "quant/train/scale_trainer.h"

#include <ATen/core/Tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "common/rpc_status.h"
#include "quant/model/forward.h"
#include "quant/model/model_parts.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/rules.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kWindowTokens = 40;

class ScaleTrainerTest : public ::testing::Test {
 protected:
  ScaleTrainerTest()
      : model_(Model::Load(MakeTinyModel()).value()),
        weights_(QuantizedWeights::Create(model_).value()),
        initial_scales_(model_->sites().size(), 0.2f) {
    options_.step_count = 6;
    options_.warmup_step_count = 2;
    options_.fingerprint = "model a, text b";
  }

  std::unique_ptr<ScaleTrainer> NewTrainer() const {
    return ScaleTrainer::Create(weights_, StaticRules(initial_scales_, first_token_float_),
                                options_)
        .value();
  }

  static std::vector<int32_t> Window(int64_t step) {
    std::vector<int32_t> window;
    for (int i = 0; i < kWindowTokens; ++i) {
      window.push_back(static_cast<int32_t>((step * 91 + i * i * 3 + i) % 256));
    }
    return window;
  }

  static void Run(ScaleTrainer& trainer, int64_t until_step) {
    while (trainer.step() < until_step) {
      ASSERT_TRUE(trainer.Step(Window(trainer.step()), {}).ok());
    }
  }

  std::shared_ptr<const Model> model_;
  std::shared_ptr<const QuantizedWeights> weights_;
  std::vector<float> initial_scales_;
  bool first_token_float_ = false;
  ScaleTrainerOptions options_;
};

std::vector<float> ScalesOf(const ScaleTrainer& trainer) {
  std::vector<float> scales;
  for (const SiteRule& rule : trainer.rules().sites) scales.push_back(rule.scale);
  return scales;
}

// What the unquantized model says greedily: text that it predicts well, and a damaged one worse.
std::vector<int32_t> GreedyText(std::shared_ptr<const Model> model, size_t token_count) {
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  const std::vector<double> head = DecodeWeights(model->parts().head);
  std::vector<int32_t> tokens = {17};
  while (tokens.size() < token_count) {
    const at::Tensor hidden = Forward(*model, tokens, *executor).value();
    const size_t width = static_cast<size_t>(hidden.size(1));
    const float* row = hidden.const_data_ptr<float>() + (tokens.size() - 1) * width;
    double best = -INFINITY;
    int32_t best_token = 0;
    for (size_t token = 0; token * width < head.size(); ++token) {
      double logit = 0;
      for (size_t k = 0; k < width; ++k) {
        logit += static_cast<double>(row[k]) * head[token * width + k];
      }
      if (logit <= best) continue;
      best = logit;
      best_token = static_cast<int32_t>(token);
    }
    tokens.push_back(best_token);
  }
  return tokens;
}

TEST_F(ScaleTrainerTest, RepairsScalesThatClip) {
  const std::vector<int32_t> window = GreedyText(model_, kWindowTokens);
  options_.step_count = 40;
  options_.learning_rate = 0.15;
  initial_scales_.assign(initial_scales_.size(), 0.002f);
  const std::unique_ptr<ScaleTrainer> trainer = NewTrainer();
  EXPECT_EQ(ScalesOf(*trainer), initial_scales_);
  while (trainer->step() < 40) ASSERT_TRUE(trainer->Step(window, {}).ok());
  EXPECT_LT(trainer->history().back().loss, 0.5 * trainer->history().front().loss);
}

TEST_F(ScaleTrainerTest, TellsWhatAStepDid) {
  const std::unique_ptr<ScaleTrainer> trainer = NewTrainer();
  const TrainingStep step = trainer->Step(Window(0), {}).value();
  EXPECT_EQ(step.step, 1);
  EXPECT_EQ(step.token_count, kWindowTokens);
  EXPECT_DOUBLE_EQ(step.learning_rate, 0.04);
  EXPECT_GT(step.loss, 0);
  EXPECT_GT(step.gradient_norm, 0);
  EXPECT_EQ(trainer->step(), 1);
}

TEST_F(ScaleTrainerTest, TwoRunsGiveTheSameBytes) {
  const std::unique_ptr<ScaleTrainer> first = NewTrainer();
  const std::unique_ptr<ScaleTrainer> second = NewTrainer();
  Run(*first, 6);
  Run(*second, 6);
  EXPECT_EQ(first->Checkpoint(), second->Checkpoint());
  EXPECT_EQ(ScalesOf(*first), ScalesOf(*second));
}

TEST_F(ScaleTrainerTest, ResumesToTheSameBytesFromEveryStep) {
  for (const bool first_token_float : {false, true}) {
    first_token_float_ = first_token_float;
    const std::unique_ptr<ScaleTrainer> unbroken = NewTrainer();
    Run(*unbroken, 6);
    for (int64_t step = 0; step <= 6; ++step) {
      const std::unique_ptr<ScaleTrainer> killed = NewTrainer();
      Run(*killed, step);
      const std::unique_ptr<ScaleTrainer> resumed = NewTrainer();
      ASSERT_TRUE(resumed->Restore(killed->Checkpoint()).ok());
      EXPECT_EQ(resumed->step(), step);
      Run(*resumed, 6);
      EXPECT_EQ(resumed->Checkpoint(), unbroken->Checkpoint());
      EXPECT_EQ(ScalesOf(*resumed), ScalesOf(*unbroken));
    }
  }
}

TEST_F(ScaleTrainerTest, RefusesACheckpointOfAnotherRun) {
  const std::string checkpoint = NewTrainer()->Checkpoint();
  options_.fingerprint = "model a, text c";
  const absl::Status status = NewTrainer()->Restore(checkpoint);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"model a, text b\""));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"model a, text c\""));
}

TEST_F(ScaleTrainerTest, RefusesADamagedCheckpoint) {
  const std::unique_ptr<ScaleTrainer> source = NewTrainer();
  Run(*source, 2);
  const std::string checkpoint = source->Checkpoint();
  const std::unique_ptr<ScaleTrainer> trainer = NewTrainer();
  for (size_t i = 0; i < checkpoint.size(); ++i) {
    std::string flipped = checkpoint;
    flipped[i] = static_cast<char>(flipped[i] ^ 0x10);
    ASSERT_EQ(trainer->Restore(flipped).code(), absl::StatusCode::kInvalidArgument) << "byte " << i;
    ASSERT_EQ(trainer->Restore(checkpoint.substr(0, i)).code(), absl::StatusCode::kInvalidArgument)
        << "length " << i;
  }
  EXPECT_EQ(trainer->step(), 0);
}

TEST_F(ScaleTrainerTest, AStopLeavesItAsItWas) {
  const std::unique_ptr<ScaleTrainer> trainer = NewTrainer();
  Run(*trainer, 2);
  const std::string before = trainer->Checkpoint();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(trainer->Step(Window(2), stop.get_token()).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(trainer->Checkpoint(), before);
}

TEST_F(ScaleTrainerTest, EndsAfterItsSteps) {
  const std::unique_ptr<ScaleTrainer> trainer = NewTrainer();
  Run(*trainer, 6);
  EXPECT_EQ(trainer->Step(Window(6), {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ScaleTrainerTest, ALossThatIsNotFiniteIsDivergence) {
  TinyModelOptions options;
  options.dtype = Dtype::kF32;
  options.tie_word_embeddings = false;
  options.head_deviation = 5e37f;  // logits overflow
  weights_ = QuantizedWeights::Create(Model::Load(MakeTinyModel(options)).value()).value();
  const absl::Status status = NewTrainer()->Step(Window(0), {}).status();
  EXPECT_EQ(ReasonOf(status), "DIVERGED");
  EXPECT_THAT(std::string(status.message()), HasSubstr("training step 1"));
}

TEST_F(ScaleTrainerTest, RefusesOptionsOutOfRange) {
  const auto error = [&](auto change) {
    ScaleTrainerOptions options = options_;
    change(options);
    return std::string(
        ScaleTrainer::Create(weights_, StaticRules(initial_scales_), options).status().message());
  };
  EXPECT_THAT(error([](auto& o) { o.step_count = 0; }), HasSubstr("training.step_count is 0"));
  EXPECT_THAT(error([](auto& o) { o.learning_rate = 0; }),
              HasSubstr("training.learning_rate is 0"));
  EXPECT_THAT(error([](auto& o) { o.warmup_step_count = 7; }),
              HasSubstr("training.warmup_step_count is 7, want 0..6"));
  initial_scales_[1] = 0;
  EXPECT_THAT(error([](auto&) {}), HasSubstr("layers.0.o_in"));
}

}  // namespace
}  // namespace sasq::testing
