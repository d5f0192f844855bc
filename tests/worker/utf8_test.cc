#include "worker/utf8.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(Utf8Test, KeepsWhatIsWellFormed) {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";  // 1, 2, 3 and 4 bytes
  EXPECT_EQ(ToUtf8(text, 100), text);
  EXPECT_EQ(ToUtf8("", 100), "");
}

TEST(Utf8Test, MarksEveryStrayByte) {
  EXPECT_EQ(ToUtf8("a\xff\x80z", 100), "a??z");
  EXPECT_EQ(ToUtf8("\xc3", 100), "?");                 // cut short
  EXPECT_EQ(ToUtf8("\xc0\xaf", 100), "??");            // overlong
  EXPECT_EQ(ToUtf8("\xe0\x80\xaf", 100), "???");       // overlong
  EXPECT_EQ(ToUtf8("\xed\xa0\x80", 100), "???");       // surrogate
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80", 100), "????");  // beyond U+10FFFF
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(ToUtf8("ab\xc3\xa9", 3), "ab");
  EXPECT_EQ(ToUtf8("ab\xc3\xa9", 4), "ab\xc3\xa9");
  EXPECT_EQ(ToUtf8("abc", 0), "");
}

}  // namespace
}  // namespace sasq
