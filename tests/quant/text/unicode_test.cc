#include "quant/text/unicode.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(UnicodeTest, EveryCharacterRoundTrips) {
  for (char32_t character = 0; character < 0x110000; ++character) {
    if (character >= 0xd800 && character < 0xe000) continue;
    std::string text;
    AppendUtf8(character, &text);
    ASSERT_FALSE(FindInvalidUtf8(text)) << static_cast<uint32_t>(character);
    size_t offset = 0;
    ASSERT_EQ(DecodeUtf8(text, &offset), character);
    ASSERT_EQ(offset, text.size());
  }
}

TEST(UnicodeTest, FindsTheFirstInvalidByte) {
  EXPECT_EQ(FindInvalidUtf8(""), std::nullopt);
  EXPECT_EQ(FindInvalidUtf8("aé€😀"), std::nullopt);
  EXPECT_EQ(FindInvalidUtf8("a\x80"), 1u);             // a continuation alone
  EXPECT_EQ(FindInvalidUtf8("\xc3"), 0u);              // cut off
  EXPECT_EQ(FindInvalidUtf8("é\xe2\x82"), 2u);         // cut off
  EXPECT_EQ(FindInvalidUtf8("\xc0\xaf"), 0u);          // not the shortest form
  EXPECT_EQ(FindInvalidUtf8("\xe0\x9f\xbf"), 0u);      // not the shortest form
  EXPECT_EQ(FindInvalidUtf8("\xed\xa0\x80"), 0u);      // a surrogate
  EXPECT_EQ(FindInvalidUtf8("\xf4\x90\x80\x80"), 0u);  // beyond U+10FFFF
  EXPECT_EQ(FindInvalidUtf8("ab\xff"), 2u);
}

TEST(UnicodeTest, KnowsWhitespaceWordsAndNumbers) {
  EXPECT_EQ(LeadingWhitespaceBytes(" \t\u00a0\u3000x "), 7u);
  EXPECT_EQ(LeadingWhitespaceBytes("x"), 0u);
  EXPECT_EQ(TrailingWhitespaceBytes(" x\u2028\n"), 4u);
  EXPECT_EQ(TrailingWhitespaceBytes("\u00a0"), 2u);
  EXPECT_EQ(TrailingWhitespaceBytes("\u180e"), 0u);  // no whitespace since Unicode 6.3
  EXPECT_EQ(TrailingWhitespaceBytes(""), 0u);
  for (const char* word : {"a", "é", "_", "7", "\u0301", "\u200d", "Ⓐ"}) {
    EXPECT_TRUE(StartsWithWordCharacter(word)) << word;
    EXPECT_TRUE(EndsWithWordCharacter(word)) << word;
  }
  for (const char* other : {"", " ", "-", "½", "😀"}) {
    EXPECT_FALSE(StartsWithWordCharacter(other)) << other;
    EXPECT_FALSE(EndsWithWordCharacter(other)) << other;
  }
  EXPECT_TRUE(IsNumeric(U'7') && IsNumeric(U'½') && IsNumeric(U'Ⅷ') && IsNumeric(U'٣'));
  EXPECT_FALSE(IsNumeric(U'a') || IsNumeric(U' ') || IsNumeric(U'一'));
}

TEST(UnicodeTest, NormalizesToNfc) {
  EXPECT_EQ(NormalizeNfc("plain"), "plain");
  EXPECT_EQ(NormalizeNfc("e\u0301"), "é");
  EXPECT_EQ(NormalizeNfc("\u212b"), "\u00c5");               // ANGSTROM SIGN
  EXPECT_EQ(NormalizeNfc("\u1100\u1161\u11a8"), "\uac01");   // Hangul
  EXPECT_EQ(NormalizeNfc("a\u0301\u0323"), "\u1ea1\u0301");  // marks in canonical order
  EXPECT_EQ(NormalizeNfc("\u0958"), "\u0915\u093c");         // never composed
  EXPECT_EQ(NormalizeNfc("ﬁ"), "ﬁ");                         // compatibility forms stay
  // Quadratic sorting would take minutes here.
  std::string marks = "a";
  for (int i = 0; i < 300'000; ++i) marks += "\u0315\u0323";
  EXPECT_EQ(NormalizeNfc(marks).size(), marks.size());
}

}  // namespace
}  // namespace sasq
