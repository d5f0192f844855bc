#include "quant/format/site_pattern.h"

#include <gtest/gtest.h>

#include <string>

namespace sasq {
namespace {

TEST(MatchesPatternTest, StarsStandForAnyText) {
  for (const char* pattern : {"layers.11.down_in", "*", "**", "layers.*", "*down_in", "*.1*.*_in",
                              "layers.*.down_in", "l*s.*1.d*", "*layers.11.down_in*"}) {
    EXPECT_TRUE(MatchesPattern(pattern, "layers.11.down_in")) << pattern;
  }
  for (const char* pattern : {"", "layers.1.down_in", "layers.*.o_in", "layers.11.down", "*.down",
                              "layers.*.down_in.*", "ayers.11.down_in", "*x*"}) {
    EXPECT_FALSE(MatchesPattern(pattern, "layers.11.down_in")) << pattern;
  }
  EXPECT_TRUE(MatchesPattern("", ""));
  EXPECT_TRUE(MatchesPattern("*", ""));
  EXPECT_FALSE(MatchesPattern("a*", ""));
}

// Trying every text for every star would take longer than anyone waits.
TEST(MatchesPatternTest, ManyStarsAreFast) {
  std::string pattern;
  for (int i = 0; i < 31; ++i) pattern += "*a";
  EXPECT_FALSE(MatchesPattern(pattern + "b", std::string(60, 'a')));
  EXPECT_TRUE(MatchesPattern(pattern + "*", std::string(60, 'a')));
}

}  // namespace
}  // namespace sasq
