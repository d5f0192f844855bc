#include "quant/text/regex.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/quant/status_matchers.h"

namespace sasq {
namespace {

using testing::ElementsAre;

std::vector<std::string> Matches(absl::string_view pattern, absl::string_view text) {
  std::vector<std::string> matches;
  const auto regex = Regex::Compile(pattern);
  EXPECT_TRUE(regex.ok()) << regex.status();
  if (!regex.ok()) return matches;
  const absl::Status status = (*regex)->ForEachMatch(text, [&](size_t begin, size_t end) {
    matches.emplace_back(text.substr(begin, end - begin));
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return matches;
}

TEST(RegexTest, MatchesFromLeftToRight) {
  EXPECT_THAT(Matches(R"(\p{L}+|\p{N}{1,3})", "añb 12345!"), ElementsAre("añb", "123", "45"));
  EXPECT_THAT(Matches(R"(\s+(?!\S)|\s+)", "a   b \n"), ElementsAre("  ", " ", " \n"));
  EXPECT_THAT(Matches(R"((?i:'s|'LL))", "it'S 'll '\u017f"), ElementsAre("'S", "'ll", "'\u017f"));
  EXPECT_THAT(Matches(R"(\d)", "1٣½"), ElementsAre("1", "٣"));
  EXPECT_THAT(Matches(R"(^a|b$)", "a\nab\n b"), ElementsAre("a", "a", "b", "b"));
  EXPECT_THAT(Matches(R"(\[\-\]|[\-\]])", "[-]-]"), ElementsAre("[-]", "-", "]"));
  EXPECT_THAT(Matches("x", ""), ElementsAre());
}

TEST(RegexTest, WhitespaceIsThePropertyOfThatName) {
  EXPECT_THAT(Matches(R"(\s)", "\t\x0b\u0085\u00a0\u2028\u3000\u180e\u200b").size(), 6u);
  EXPECT_THAT(Matches(R"([^\s])", "\u180e\u3000"), ElementsAre("\u180e"));
  EXPECT_THAT(Matches(R"(\S)", "\u180e\u0085"), ElementsAre("\u180e"));
}

TEST(RegexTest, RefusesByName) {
  const std::pair<const char*, const char*> cases[] = {
      {R"(\w+)", "uses \\w"},
      {R"(\h)", "uses \\h"},
      {R"((a)\1)", "uses \\1"},
      {R"(\p{Han})", "uses \\p{Han"},
      {R"(\p{^L})", "uses \\p{^L"},
      {R"(\pL)", "uses \\p"},
      {R"([a[b]])", "a class inside a class"},
      {R"(a(*ACCEPT)b)", "uses (*,"},
      {R"([a&&b])", "an intersection of classes"},
      {R"([\S])", "uses \\S"},
      {R"((?<n>a))", "uses (?<n"},
      {R"((?m:a))", "uses (?m:"},
      {R"(a{1,3}+)", "uses }+"},
      {R"(a{,3})", "uses {,3}"},
      {R"(a*)", "can match the empty string"},
      {R"((a)", "does not compile"},
      {R"([a)", "does not compile"},
      {"a\\", "uses \\"},
      {"", "can match the empty string"},
  };
  for (const auto& [pattern, part] : cases) {
    EXPECT_TRUE(IsInvalid(Regex::Compile(pattern), "UNSUPPORTED_MODEL", part)) << pattern;
  }
}

TEST(RegexTest, GivesUpOnTextThatTakesForever) {
  const auto regex = Regex::Compile(R"((?:a+)+[bd])");
  ASSERT_TRUE(regex.ok()) << regex.status();
  const absl::Status status = (*regex)->ForEachMatch(
      std::string(5'000, 'a') + "c", [](size_t, size_t) { return absl::OkStatus(); });
  EXPECT_TRUE(IsInvalid(status, "INVALID_TEXT", "gave up at byte 0 of a piece of 5001 bytes"));
}

TEST(RegexTest, StopsAtTheFirstError) {
  const auto regex = Regex::Compile("a");
  int calls = 0;
  EXPECT_EQ((*regex)
                ->ForEachMatch("aaa",
                               [&calls](size_t, size_t) {
                                 ++calls;
                                 return absl::AbortedError("enough");
                               })
                .code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace sasq
