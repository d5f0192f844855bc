#include "quant/text/json_lines.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "tests/quant/status_matchers.h"

namespace sasq {
namespace {

TEST(JsonLinesTest, ReadsPrompts) {
  const auto prompts = ParsePrompts(
      "{\"prompt\": \"One?\"}\r\n\n  {\"id\": 7, \"prompt\": \" Zwei\\n\\u20ac \"}", "p.jsonl");
  ASSERT_TRUE(prompts.ok()) << prompts.status();
  EXPECT_EQ(*prompts, (std::vector<std::string>{"One?", " Zwei\n\u20ac "}));
}

TEST(JsonLinesTest, CountsLinesAsEditorsDo) {
  std::vector<int64_t> lines;
  ASSERT_TRUE(ForEachJsonLine("\n{}\n \t\n{}\n", "f", [&](const nlohmann::json&, int64_t line) {
                lines.push_back(line);
                return absl::OkStatus();
              }).ok());
  EXPECT_EQ(lines, (std::vector<int64_t>{2, 4}));
}

TEST(JsonLinesTest, NamesTheLineThatIsWrong) {
  const std::pair<std::string, std::string> cases[] = {
      {"{\"prompt\": \"a\"", "p.jsonl:2 is not valid JSON"},
      {"[\"a\"]", "p.jsonl:2 holds a JSON array at its root"},
      {"{\"prompt\": \"a\", \"prompt\": \"b\"}", "p.jsonl:2 holds the key \"prompt\" twice"},
      {"{\"prompt\": 3}", "p.jsonl:2: \"prompt\" is missing or malformed, want a string"},
      {"{\"text\": \"a\"}", "p.jsonl:2: \"prompt\" is missing"},
      {"{\"prompt\": \" \"}", "p.jsonl:2: \"prompt\" is empty"},
      {"{\"prompt\": \"\xff\"}", "p.jsonl:2 is not valid JSON"},
  };
  for (const auto& [line, part] : cases) {
    const std::string text = absl::StrCat("{\"prompt\": \"good\"}\n", line, "\n{");
    EXPECT_TRUE(IsInvalid(ParsePrompts(text, "p.jsonl"), "INVALID_TEXT", part)) << line;
  }
}

TEST(JsonLinesTest, RefusesNothingAndTooMuch) {
  EXPECT_TRUE(IsInvalid(ParsePrompts("", "p"), "INVALID_TEXT", "p is empty"));
  EXPECT_TRUE(IsInvalid(ParsePrompts(" \n\n", "p"), "INVALID_TEXT", "p is empty"));
  std::string lines;
  for (int64_t i = 0; i < kMaxJsonLines; ++i) lines += "{\"prompt\": \"a\"}\n";
  EXPECT_EQ(ParsePrompts(lines, "p")->size(), static_cast<size_t>(kMaxJsonLines));
  lines += "{\"prompt\": \"a\"}\n";
  EXPECT_TRUE(IsInvalid(ParsePrompts(lines, "p"), "INVALID_TEXT", "more than 100000 lines"));
  lines.resize(static_cast<size_t>(kMaxJsonLinesBytes) + 1, ' ');
  EXPECT_TRUE(IsInvalid(ParsePrompts(lines, "p"), "INVALID_TEXT", "bytes, want at most 67108864"));
}

}  // namespace
}  // namespace sasq
