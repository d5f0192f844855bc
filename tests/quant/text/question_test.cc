#include "quant/text/question.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/quant/status_matchers.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using Tokens = std::vector<int32_t>;

// Letters, the space and their pairs "ab" and " a", in this order of ids.
std::unique_ptr<const Tokenizer> LettersTokenizer() {
  TemporaryFolder folder;
  folder.Write("tokenizer.json", R"({
    "added_tokens": [], "normalizer": null, "post_processor": null, "decoder": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false},
    "model": {"type": "BPE", "unk_token": null, "merges": ["a b", "Ġ a"],
              "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "Ġa": 5}}})");
  return Tokenizer::LoadFromFolder(folder.path()).value();
}

TokenizedQuestion Tokenize(const Question& question) {
  const auto tokenized = TokenizeQuestions({question}, *LettersTokenizer(), /*max_tokens=*/100);
  EXPECT_TRUE(tokenized.ok()) << tokenized.status();
  return tokenized.ok() ? tokenized->front() : TokenizedQuestion();
}

TEST(QuestionTest, ReadsLines) {
  const auto questions = ParseQuestions(
      "{\"context\": \"Two and two is\", \"choices\": [\" four\", \" \\u00e9\"], \"answer\": 0}\n\n"
      "{\"id\": 3, \"answer\": 1, \"choices\": [\"a\", \"b\", \"c\"], \"context\": \"x\"}\n",
      "t.jsonl");
  ASSERT_TRUE(questions.ok()) << questions.status();
  ASSERT_EQ(questions->size(), 2u);
  EXPECT_EQ((*questions)[0].context, "Two and two is");
  EXPECT_EQ((*questions)[0].choices, (std::vector<std::string>{" four", " \u00e9"}));
  EXPECT_EQ((*questions)[0].answer, 0u);
  EXPECT_EQ((*questions)[1].answer, 1u);
  EXPECT_EQ((*questions)[1].place, "t.jsonl:3");
}

TEST(QuestionTest, NamesTheLineThatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"context": "x", "choices": ["a", "b"], "answer": 0)", "t:2 is not valid JSON"},
      {R"({"choices": ["a", "b"], "answer": 0})", "t:2: \"context\" is missing"},
      {R"({"context": " ", "choices": ["a", "b"], "answer": 0})", "t:2: \"context\" is empty"},
      {R"({"context": "x", "answer": 0})", "t:2: \"choices\" is missing or malformed"},
      {R"({"context": "x", "choices": ["a"], "answer": 0})", "want an array of 2..64 strings"},
      {R"({"context": "x", "choices": ["a", 3], "answer": 0})", "t:2: \"choices\" holds 3, want"},
      {R"({"context": "x", "choices": ["a", " "], "answer": 0})", "\"choices\" holds \" \", want"},
      {R"({"context": "x", "choices": ["a", "b"]})", "t:2: \"answer\" is missing"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": 2})", "right choice, 0..1"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": -1})", "right choice, 0..1"},
      {R"({"context": "x", "choices": ["a", "b"], "answer": "a"})", "right choice, 0..1"},
  };
  for (const auto& [line, part] : cases) {
    const std::string text =
        absl::StrCat(R"({"context": "x", "choices": ["a", "b"], "answer": 0})", "\n", line, "\n{");
    EXPECT_TRUE(IsInvalid(ParseQuestions(text, "t"), "INVALID_TEXT", part)) << line;
  }
}

TEST(QuestionTest, ChoicesAreTheTokensBehindTheContext) {
  const TokenizedQuestion question = Tokenize({"cc", {" ac", "b", " c c"}, 2, "t:1"});
  EXPECT_EQ(question.context, (Tokens{2, 2}));
  ASSERT_EQ(question.choices.size(), 3u);
  EXPECT_EQ(question.choices[0].tokens, (Tokens{2, 2, 5, 2}));
  EXPECT_EQ(question.choices[1].tokens, (Tokens{2, 2, 1}));
  EXPECT_EQ(question.choices[2].tokens, (Tokens{2, 2, 3, 2, 3, 2}));
  EXPECT_EQ(question.choices[0].byte_count, 2);
  EXPECT_EQ(question.choices[2].byte_count, 3);
  EXPECT_EQ(question.answer, 2u);
}

TEST(QuestionTest, WhiteSpaceBehindTheContextBelongsToTheChoice) {
  const TokenizedQuestion question = Tokenize({"c ", {"a", "b"}, 0, "t:1"});
  EXPECT_EQ(question.context, Tokens{2});
  EXPECT_EQ(question.choices[0].tokens, (Tokens{2, 5}));
  EXPECT_EQ(question.choices[1].tokens, (Tokens{2, 3, 1}));
}

TEST(QuestionTest, AContextIsCutAsItStandsBeforeTheChoice) {
  const TokenizedQuestion question = Tokenize({"ca", {"bc", "c"}, 0, "t:1"});
  EXPECT_EQ(question.context, (Tokens{2, 0}));
  EXPECT_EQ(question.choices[0].tokens, (Tokens{2, 4, 2}));
  EXPECT_EQ(question.choices[1].tokens, (Tokens{2, 0, 2}));
}

TEST(QuestionTest, RefusesWhatCannotBeScored) {
  const auto tokenizer = LettersTokenizer();
  const Question good = {"cc", {"c", "cc"}, 0, "t:1"};
  EXPECT_TRUE(IsInvalid(TokenizeQuestions({good, {"ca", {"c", "b"}, 0, "t:7"}}, *tokenizer, 9),
                        "INVALID_TEXT", "t:7: the choice \"b\" has no tokens of its own"));
  EXPECT_TRUE(TokenizeQuestions({good}, *tokenizer, 4).ok());
  EXPECT_TRUE(IsInvalid(TokenizeQuestions({good}, *tokenizer, 3), "INVALID_TEXT",
                        "t:1: context and choice have 4 tokens, want at most 3"));
}

}  // namespace
}  // namespace sasq
