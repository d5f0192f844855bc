// The project's own tasks and prompts: they are well-formed, and a real model answers them. The
// second part is skipped unless SASQ_MODEL_DIR names the folder of SmolLM2-135M-Instruct; it takes
// about half a minute on one core.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/clock.h"
#include "common/file.h"
#include "quant/eval/generation.h"
#include "quant/eval/task.h"
#include "quant/model/quantized_weights.h"
#include "quant/text/chat_template.h"
#include "quant/text/json_lines.h"

namespace sasq::testing {
namespace {

std::string ReadSuite(const std::string& name) {
  return ReadFile(std::string(SASQ_SUITE_FOLDER) + "/" + name, kMaxJsonLinesBytes).value();
}

std::vector<Question> SuiteQuestions(const std::string& name) {
  return ParseQuestions(ReadSuite(name), name).value();
}

TEST(SuiteTest, RightChoicesStandAtEveryPlaceEquallyOften) {
  for (const char* name : {"facts.jsonl", "cloze.jsonl"}) {
    std::map<size_t, int> counts;
    std::set<std::string> contexts;
    for (const Question& question : SuiteQuestions(name)) {
      EXPECT_EQ(question.choices.size(), 4u) << question.place;
      EXPECT_EQ(std::set<std::string>(question.choices.begin(), question.choices.end()).size(), 4u)
          << question.place;
      for (const std::string& choice : question.choices) EXPECT_EQ(choice[0], ' ') << choice;
      EXPECT_TRUE(contexts.insert(question.context).second) << question.place << " is there twice";
      ++counts[question.answer];
    }
    EXPECT_EQ(counts, (std::map<size_t, int>{{0, 10}, {1, 10}, {2, 10}, {3, 10}})) << name;
  }
  EXPECT_EQ(ParsePrompts(ReadSuite("prompts.jsonl"), "prompts.jsonl")->size(), 12u);
}

class RealModelSuiteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = std::getenv("SASQ_MODEL_DIR");
    if (folder == nullptr) GTEST_SKIP() << "SASQ_MODEL_DIR is not set";
    tokenizer_ = Tokenizer::LoadFromFolder(folder).value();
    chat_ = std::make_unique<ChatTemplate>(ChatTemplate::LoadFromFolder(folder).value());
    model_ = Model::Load(folder).value();
    float_ = MakeFloatExecutor(model_);
    weights_ = QuantizedWeights::Create(model_).value();
    QuantizationRules rules;
    rules.sites.resize(model_->sites().size(), {SitePrecision::kDynamic, 0});
    dynamic_ = MakeQuantizedExecutor(weights_, rules).value();
  }

  std::unique_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<const ChatTemplate> chat_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<const QuantizedWeights> weights_;
  std::unique_ptr<SiteExecutor> float_;
  std::unique_ptr<SiteExecutor> dynamic_;
};

TEST_F(RealModelSuiteTest, AnswersPartOfTheQuestions) {
  for (const char* name : {"facts.jsonl", "cloze.jsonl"}) {
    const auto questions =
        TokenizeQuestions(SuiteQuestions(name), *tokenizer_, model_->max_tokens());
    ASSERT_TRUE(questions.ok()) << questions.status();
    const auto measure = [&](const char* row, SiteExecutor& executor) {
      const TaskAnswers result = EvaluateTask(*model_, executor, *questions, {}).value();
      std::printf("%-12s %-8s accuracy %.3f normalized %.3f, %.1f s\n", name, row, result.accuracy,
                  result.normalized_accuracy, result.seconds);
      return result;
    };
    const TaskAnswers reference = measure("float", *float_);
    const TaskAnswers dynamic = measure("dynamic", *dynamic_);
    // Guessing gives 0.25 +- 0.07; a model that knows everything tells no methods apart.
    EXPECT_GT(reference.accuracy, 0.45) << name;
    EXPECT_LT(reference.accuracy, 1) << name;
    // Dynamic INT8 moves the distances between choices by 0.4 nats in the mean: of 40 questions the
    // few whose two best choices lie that near to each other may turn.
    EXPECT_NEAR(dynamic.accuracy, reference.accuracy, 5.5 / 40) << name;
  }
}

TEST_F(RealModelSuiteTest, AnswersPrompts) {
  std::vector<std::vector<int32_t>> prompts;
  const std::vector<std::string> suite =
      ParsePrompts(ReadSuite("prompts.jsonl"), "prompts.jsonl").value();
  for (const std::string& prompt : suite) {
    prompts.push_back(tokenizer_->Encode(chat_->Render(prompt)).value());
    // <|im_start|> is one token.
    EXPECT_EQ(prompts.back().front(), model_->config().bos_token_id);
  }
  prompts.resize(4);
  const GenerationOptions options = {.max_tokens = 24,
                                     .eos_token_ids = model_->config().eos_token_ids};
  const auto generate = [&](const char* row, SiteExecutor& executor) {
    const Stopwatch watch;
    auto answers = GenerateGreedy(*model_, executor, executor, prompts, options).value();
    size_t count = 0;
    for (const std::vector<int32_t>& answer : answers) count += answer.size();
    std::printf("%-8s %zu tokens, %.2f a second\n", row, count,
                static_cast<double>(count) / watch.Seconds());
    return answers;
  };
  const auto reference = generate("float", *float_);
  const auto dynamic = generate("dynamic", *dynamic_);
  const AnswerComparison comparison = CompareAnswers(reference, dynamic);
  std::printf("until divergence %.2f, agreement %.3f, repetition %.3f (float %.3f)\n",
              comparison.tokens_until_divergence, comparison.agreement, comparison.repetition,
              CompareAnswers(reference, reference).repetition);
  // The two models agree on nine of ten next tokens, so answers begin alike.
  EXPECT_GT(comparison.tokens_until_divergence, 2);
  // An answer, not an end at once or a loop.
  EXPECT_LT(CompareAnswers(reference, reference).repetition, 0.5);
  for (const std::vector<int32_t>& answer : reference) EXPECT_GT(answer.size(), 4u);
}

}  // namespace
}  // namespace sasq::testing
