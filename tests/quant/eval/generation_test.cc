#include "quant/eval/generation.h"

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "quant/model/forward.h"
#include "quant/model/kv_cache.h"
#include "quant/model/quantized_weights.h"
#include "tests/quant/model/naive_model.h"
#include "tests/support/tiny_model.h"

namespace sasq::testing {
namespace {

using Tokens = std::vector<int32_t>;

// Counts the calls of another executor by the rows that they have.
class CountingExecutor final : public SiteExecutor {
 public:
  explicit CountingExecutor(std::unique_ptr<SiteExecutor> inner) : inner_(std::move(inner)) {}

  absl::StatusOr<at::Tensor> Run(SiteId site, const at::Tensor& x, int64_t leading_rows) override {
    if (SiteIndex(site) == 0) row_counts.push_back(x.size(0));
    return inner_->Run(site, x, leading_rows);
  }

  std::vector<int64_t> row_counts;

 private:
  const std::unique_ptr<SiteExecutor> inner_;
};

std::shared_ptr<const Model> ModelWithAShortContext() {
  TinyModelOptions options;
  options.max_position_count = 24;
  return Model::Load(MakeTinyModel(options)).value();
}

class GenerationTest : public ::testing::Test {
 protected:
  GenerationTest() : model_(ModelWithAShortContext()), executor_(MakeFloatExecutor(model_)) {}

  absl::StatusOr<std::vector<Tokens>> Generate(const std::vector<Tokens>& prompts,
                                               const GenerationOptions& options) {
    return GenerateGreedy(*model_, *executor_, *executor_, prompts, options);
  }

  // The likeliest token behind `tokens`, by the naive model, which has no cache.
  int32_t NaiveNext(const Tokens& tokens) const {
    const Matrix hidden = NaiveForward(model_->config(), model_->checkpoint(), tokens);
    const int32_t vocab_size = static_cast<int32_t>(model_->config().vocab_size);
    Tokens candidates = {0};
    for (int32_t token = 0; token < vocab_size; ++token) candidates.push_back(token);
    const std::vector<double> losses =
        NaiveLosses(model_->config(), model_->checkpoint(),
                    Matrix(static_cast<size_t>(vocab_size) + 1, hidden.back()), candidates);
    return static_cast<int32_t>(std::min_element(losses.begin(), losses.end()) - losses.begin());
  }

  Tokens NaiveAnswer(Tokens tokens, size_t count) const {
    const size_t prompt_count = tokens.size();
    while (tokens.size() < prompt_count + count) tokens.push_back(NaiveNext(tokens));
    return Tokens(tokens.begin() + static_cast<int64_t>(prompt_count), tokens.end());
  }

  std::shared_ptr<const Model> model_;
  std::unique_ptr<SiteExecutor> executor_;
  const std::vector<Tokens> prompts_ = {{72, 101, 108, 108, 111}, {200}, {3, 1, 4, 1, 5, 9, 2}};
};

TEST_F(GenerationTest, TakesTheLikeliestTokenEachTime) {
  const auto answers = Generate(prompts_, {.max_tokens = 6});
  ASSERT_TRUE(answers.ok()) << answers.status();
  ASSERT_EQ(answers->size(), prompts_.size());
  for (size_t i = 0; i < prompts_.size(); ++i) {
    EXPECT_EQ((*answers)[i], NaiveAnswer(prompts_[i], 6)) << i;
  }
}

TEST_F(GenerationTest, PrefillReadsThePromptAndDecodeGoesOn) {
  const std::shared_ptr<const QuantizedWeights> weights = QuantizedWeights::Create(model_).value();
  QuantizationRules rules;
  rules.sites.resize(model_->sites().size(), {SitePrecision::kDynamic, 0});
  CountingExecutor prefill(MakeFloatExecutor(model_));
  CountingExecutor decode(MakeQuantizedExecutor(weights, rules).value());
  const auto answers = GenerateGreedy(*model_, prefill, decode, prompts_, {.max_tokens = 4});
  ASSERT_TRUE(answers.ok()) << answers.status();
  EXPECT_EQ(prefill.row_counts, (std::vector<int64_t>{5, 1, 7}));
  EXPECT_EQ(decode.row_counts, std::vector<int64_t>(3 * 3, 1));
}

TEST_F(GenerationTest, AnswersEndAtATokenThatEndsThem) {
  const Tokens whole = Generate(prompts_, {.max_tokens = 6})->front();
  const size_t end =
      static_cast<size_t>(std::find(whole.begin(), whole.end(), whole[2]) - whole.begin());
  const auto answers = Generate(prompts_, {.max_tokens = 6, .eos_token_ids = {299999, whole[2]}});
  EXPECT_EQ(answers->front(), Tokens(whole.begin(), whole.begin() + static_cast<int64_t>(end) + 1));
}

TEST_F(GenerationTest, AnswersEndWithTheContext) {
  const Tokens prompt(20, 7);
  // 24 positions: 20 of the prompt, 4 of tokens that are read again, and a last one that is not.
  EXPECT_EQ(Generate({prompt}, {.max_tokens = 100})->front().size(), 5u);
  EXPECT_EQ(Generate({Tokens(24, 7)}, {.max_tokens = 100})->front().size(), 1u);
}

TEST_F(GenerationTest, APrefixStandsBeforeEveryPrompt) {
  const Tokens prefix_tokens = {9, 8, 7};
  KvCache prefix;
  ASSERT_TRUE(Forward(*model_, prefix_tokens, *executor_, {.kept = &prefix}).ok());
  const auto answers = Generate(prompts_, {.max_tokens = 5, .prefix = &prefix});
  ASSERT_TRUE(answers.ok()) << answers.status();
  for (size_t i = 0; i < prompts_.size(); ++i) {
    Tokens all = prefix_tokens;
    all.insert(all.end(), prompts_[i].begin(), prompts_[i].end());
    EXPECT_EQ((*answers)[i], NaiveAnswer(all, 5)) << i;
  }
  EXPECT_EQ(prefix.token_count, 3);
  EXPECT_EQ(Generate({Tokens(20, 7)}, {.max_tokens = 100, .prefix = &prefix})->front().size(), 2u);
}

TEST_F(GenerationTest, RefusesPromptsThatDoNotFitAndNamesThem) {
  for (const Tokens& bad : {Tokens(), Tokens(25, 7)}) {
    const absl::Status status = Generate({{1}, bad}, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(status.message(), "prompt 2 has ")) << status;
  }
}

TEST_F(GenerationTest, TellsOfEachPromptAndStops) {
  std::stop_source stop;
  std::vector<int64_t> done;
  GenerationOptions options;
  options.stop = stop.get_token();
  options.on_prompt = [&](int64_t count) {
    done.push_back(count);
    if (count == 2) stop.request_stop();
  };
  EXPECT_EQ(Generate(prompts_, options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(done, (std::vector<int64_t>{1, 2}));
}

TEST(CompareAnswersTest, CountsWhatIsEqual) {
  const std::vector<Tokens> want = {{1, 2, 3, 4}, {5, 6, 7}, {8}};
  const AnswerComparison same = CompareAnswers(want, want);
  EXPECT_EQ(same.prompt_count, 3);
  EXPECT_DOUBLE_EQ(same.tokens_until_divergence, 8.0 / 3);
  EXPECT_DOUBLE_EQ(same.agreement, 1);
  EXPECT_DOUBLE_EQ(same.repetition, 0);
  // The first differs at position 1 and agrees again at 2; the second ends early; the third runs
  // on.
  const AnswerComparison other = CompareAnswers(want, std::vector<Tokens>{{1, 9, 3}, {5}, {8, 8}});
  EXPECT_DOUBLE_EQ(other.tokens_until_divergence, (1 + 1 + 1) / 3.0);
  EXPECT_DOUBLE_EQ(other.agreement, (2 + 1 + 1) / (4 + 3 + 2.0));
}

TEST(CompareAnswersTest, RepetitionIsWithinAnAnswer) {
  const std::vector<Tokens> answers = {{1, 2, 3, 4, 1, 2, 3, 4, 1}, {1, 2, 3, 4}, {5, 6, 7}};
  // Six 4-grams in the first answer, the last two known by then; one in the second; none in the
  // third.
  EXPECT_DOUBLE_EQ(CompareAnswers(answers, answers).repetition, 2.0 / 7);
  const std::vector<Tokens> stuck = {Tokens(8, 4)};
  EXPECT_DOUBLE_EQ(CompareAnswers(stuck, stuck).repetition, 4.0 / 5);
  EXPECT_DOUBLE_EQ(CompareAnswers({}, {}).agreement, 0);
}

}  // namespace
}  // namespace sasq::testing
