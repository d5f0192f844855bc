#include "client/text.h"

#include <gtest/gtest.h>

#include <limits>

namespace sasq {
namespace {

TEST(CleanLineTest, KeepsPlainAndForeignText) {
  EXPECT_EQ(CleanLine("loss 3.2, größer, 模型, 🚀"), "loss 3.2, größer, 模型, 🚀");
  EXPECT_EQ(CleanLine(""), "");
}

TEST(CleanLineTest, ReplacesWhatSteersATerminal) {
  EXPECT_EQ(CleanLine("a\x1b[2Jb"), "a\uFFFD[2Jb");            // escape
  EXPECT_EQ(CleanLine("a\rb\x7f"), "a\uFFFDb\uFFFD");          // return, DEL
  EXPECT_EQ(CleanLine("a\xc2\x9bJ"), "a\uFFFDJ");              // C1 control as UTF-8
  EXPECT_EQ(CleanLine("a\u202Eb\u2066c"), "a\uFFFDb\uFFFDc");  // bidirectional overrides
  EXPECT_EQ(CleanLine(std::string("a\0b", 3)), "a\uFFFDb");
}

TEST(CleanLineTest, ReplacesBytesThatAreNotUtf8) {
  EXPECT_EQ(CleanLine("\xff\xfe"), "\uFFFD\uFFFD");
  EXPECT_EQ(CleanLine("\x9bJ"), "\uFFFDJ");                    // C1 control as a raw byte
  EXPECT_EQ(CleanLine("\xc0\xaf"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(CleanLine("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
  EXPECT_EQ(CleanLine("\xe2\x82"), "\uFFFD\uFFFD");            // cut short
}

TEST(CleanLinesTest, KeepsLineFeedsAndTabsWhereLinesAreMeant) {
  EXPECT_EQ(CleanLines("a\tb\nc\r\n"), "a\tb\nc\uFFFD\n");
  EXPECT_EQ(CleanLine("a\tb\nc"), "a b c");
}

TEST(IncompleteUtf8SuffixTest, FindsTheBeginningOfACharacter) {
  EXPECT_EQ(IncompleteUtf8Suffix(""), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("abc"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("ab€"), 0u);
  EXPECT_EQ(IncompleteUtf8Suffix("ab\xe2"), 1u);
  EXPECT_EQ(IncompleteUtf8Suffix("ab\xe2\x82"), 2u);
  EXPECT_EQ(IncompleteUtf8Suffix("ab\xf0\x9f\x9a"), 3u);
  EXPECT_EQ(IncompleteUtf8Suffix("ab\x82"), 0u);  // no beginning before it: never completes
}

TEST(DisplayWidthTest, CountsColumns) {
  EXPECT_EQ(DisplayWidth("abc"), 3);
  EXPECT_EQ(DisplayWidth("größe"), 5);
  EXPECT_EQ(DisplayWidth("模型"), 4);
  EXPECT_EQ(DisplayWidth("🚀"), 2);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);  // combining accent
  EXPECT_EQ(DisplayWidth("\x1b[32mok\x1b[0m"), 2);
}

TEST(TruncateToWidthTest, CutsByColumnsNotBytes) {
  EXPECT_EQ(TruncateToWidth("abcdef", 6), "abcdef");
  EXPECT_EQ(TruncateToWidth("abcdef", 4), "abc~");
  EXPECT_EQ(TruncateToWidth("模型名", 4), "模~");
  EXPECT_EQ(TruncateToWidth("abc", 0), "");
}

TEST(PadTest, FillsToColumns) {
  EXPECT_EQ(PadRight("型", 4), "型  ");
  EXPECT_EQ(PadLeft("型", 4), "  型");
  EXPECT_EQ(PadLeft("long", 2), "long");
}

TEST(DurationTextTest, UsesTwoUnitsAtMost) {
  EXPECT_EQ(DurationText(absl::Milliseconds(4230)), "4.2s");
  EXPECT_EQ(DurationText(absl::Milliseconds(9960)), "10s");
  EXPECT_EQ(DurationText(absl::Seconds(59.6)), "1m00s");
  EXPECT_EQ(DurationText(absl::Seconds(192)), "3m12s");
  EXPECT_EQ(DurationText(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(DurationText(absl::Hours(76)), "3d04h");
  EXPECT_EQ(DurationText(absl::Seconds(-3)), "0.0s");
}

TEST(BytesTextTest, UsesBinaryUnits) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(15'000'000), "14.3 MiB");
  EXPECT_EQ(BytesText((1 << 20) - 1), "1.0 MiB");  // not 1024.0 KiB
}

TEST(CountTextTest, UsesPowersOfAThousand) {
  EXPECT_EQ(CountText(950), "950");
  EXPECT_EQ(CountText(134'515'008), "135 M");
  EXPECT_EQ(CountText(1.234e12), "1.23 T");
  EXPECT_EQ(CountText(999'600), "1.00 M");
}

TEST(PerplexityTextTest, StaysReadableWhenAModelCollapsed) {
  EXPECT_EQ(PerplexityText(17.2241), "17.224");
  EXPECT_EQ(PerplexityText(1'250'000), "1.25e+06");
  EXPECT_EQ(PerplexityText(std::numeric_limits<double>::infinity()), "inf");
}

TEST(ReadDurationTest, TakesUnitsOrSeconds) {
  absl::Duration duration;
  EXPECT_TRUE(ReadDuration("1h30m", &duration));
  EXPECT_EQ(duration, absl::Minutes(90));
  EXPECT_TRUE(ReadDuration("45", &duration));
  EXPECT_EQ(duration, absl::Seconds(45));
  for (const char* bad : {"", "x", "-3s", "3 parsecs", "inf", "nan"}) {
    EXPECT_FALSE(ReadDuration(bad, &duration)) << bad;
  }
}

}  // namespace
}  // namespace sasq
