#include "quant/eval/task.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using Tokens = std::vector<int32_t>;

// float32 logits of order 10, over a few tokens, against double ones.
constexpr double kTolerance = 2e-4;

class TaskTest : public ::testing::Test {
 protected:
  TaskTest() : model_(Model::Load(MakeTinyModel()).value()), executor_(MakeFloatExecutor(model_)) {}

  // Sum of log-likelihoods of the tokens behind the first `context_count`, by the naive model.
  double NaiveLogLikelihood(const Tokens& tokens, size_t context_count) const {
    const Matrix hidden = NaiveForward(model_->config(), model_->checkpoint(), tokens);
    const std::vector<double> losses =
        NaiveLosses(model_->config(), model_->checkpoint(), hidden, tokens);
    double sum = 0;
    for (size_t t = context_count - 1; t < losses.size(); ++t) sum -= losses[t];
    return sum;
  }

  absl::StatusOr<TaskAnswers> Evaluate(const std::vector<TokenizedQuestion>& questions,
                                       const TaskOptions& options = {}) {
    return EvaluateTask(*model_, *executor_, questions, options);
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<SiteExecutor> executor_;
  // Choices of one, two and five tokens, and one that changes the context's last token.
  const std::vector<TokenizedQuestion> questions_ = {
      {{10, 20, 30},
       {{{10, 20, 30, 40}, 1},
        {{10, 20, 30, 41, 42}, 2},
        {{10, 20, 30, 43, 44, 45, 46, 47}, 5},
        {{10, 20, 31, 48, 49}, 3}},
       0},
      {{7}, {{{7, 7}, 4}, {{7, 8, 9}, 9}}, 1},
  };
};

TEST_F(TaskTest, ScoresAreLogLikelihoodsOfTheChoices) {
  const auto result = Evaluate(questions_);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->log_likelihoods.size(), questions_.size());
  for (size_t q = 0; q < questions_.size(); ++q) {
    ASSERT_EQ(result->log_likelihoods[q].size(), questions_[q].choices.size());
    for (size_t c = 0; c < questions_[q].choices.size(); ++c) {
      EXPECT_NEAR(result->log_likelihoods[q][c],
                  NaiveLogLikelihood(questions_[q].choices[c].tokens, questions_[q].context.size()),
                  kTolerance)
          << q << " " << c;
    }
  }
}

TEST_F(TaskTest, AccuracyIsTheShareOfRightChoices) {
  std::vector<TokenizedQuestion> questions = questions_;
  const std::vector<std::vector<double>> scores = Evaluate(questions)->log_likelihoods;
  const auto best = [](const std::vector<double>& values) {
    return static_cast<size_t>(std::max_element(values.begin(), values.end()) - values.begin());
  };
  questions[0].answer = best(scores[0]);
  questions[1].answer = 1 - best(scores[1]);
  EXPECT_DOUBLE_EQ(Evaluate(questions)->accuracy, 0.5);
  questions[1].answer = best(scores[1]);
  EXPECT_DOUBLE_EQ(Evaluate(questions)->accuracy, 1);
  // Log-likelihoods are negative: a million bytes bring a choice up to 0.
  questions[0].choices[questions[0].answer].byte_count = 1;
  for (size_t c = 0; c < questions[0].choices.size(); ++c) {
    if (c != questions[0].answer) questions[0].choices[c].byte_count = 1'000'000;
  }
  questions[1].choices[0].byte_count = questions[1].choices[1].byte_count = 1;
  EXPECT_DOUBLE_EQ(Evaluate(questions)->accuracy, 1);
  EXPECT_DOUBLE_EQ(Evaluate(questions)->normalized_accuracy, 0.5);
}

TEST_F(TaskTest, APrefixStandsBeforeEveryContext) {
  const Tokens prefix_tokens = {99, 98};
  KvCache prefix;
  ASSERT_TRUE(Forward(*model_, prefix_tokens, *executor_, {.kept = &prefix}).ok());
  const auto result = Evaluate(questions_, {.prefix = &prefix});
  ASSERT_TRUE(result.ok()) << result.status();
  for (size_t c = 0; c < questions_[0].choices.size(); ++c) {
    Tokens all = prefix_tokens;
    const Tokens& tokens = questions_[0].choices[c].tokens;
    all.insert(all.end(), tokens.begin(), tokens.end());
    EXPECT_NEAR(result->log_likelihoods[0][c], NaiveLogLikelihood(all, 2 + 3), kTolerance) << c;
  }
}

TEST_F(TaskTest, ACollapsedModelKnowsNothing) {
  TinyModelOptions options;
  options.dtype = Dtype::kF32;
  options.tie_word_embeddings = false;
  options.head_deviation = 5e37f;  // logits overflow
  const std::shared_ptr<const Model> model = Model::Load(MakeTinyModel(options)).value();
  const std::unique_ptr<SiteExecutor> executor = MakeFloatExecutor(model);
  for (const size_t answer : {0, 1}) {
    const std::vector<TokenizedQuestion> questions = {{{7}, {{{7, 7}, 4}, {{7, 8}, 9}}, answer}};
    const auto result = EvaluateTask(*model, *executor, questions, {});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(std::isnan(result->log_likelihoods[0][0]));
    EXPECT_EQ(result->accuracy, 0);
    EXPECT_EQ(result->normalized_accuracy, 0);
  }
}

TEST_F(TaskTest, TellsOfEachQuestionAndStops) {
  std::stop_source stop;
  std::vector<int64_t> done;
  const auto on_question = [&](int64_t count) {
    done.push_back(count);
    stop.request_stop();
  };
  EXPECT_EQ(
      Evaluate(questions_, {.stop = stop.get_token(), .on_question = on_question}).status().code(),
      absl::StatusCode::kCancelled);
  EXPECT_EQ(done, std::vector<int64_t>{1});
  EXPECT_EQ(Evaluate({}).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq::testing
