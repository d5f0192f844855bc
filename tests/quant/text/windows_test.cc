#include "quant/text/windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/quant/status_matchers.h"

namespace sasq {
namespace {

using testing::ElementsAre;

TEST(WindowsTest, CountsWholeWindows) {
  EXPECT_EQ(*CountWindows(512, 512), 1);
  EXPECT_EQ(*CountWindows(1023, 512), 1);
  EXPECT_EQ(*CountWindows(1024, 512), 2);
  EXPECT_TRUE(IsInvalid(CountWindows(511, 512), "INVALID_TEXT",
                        "the text has 511 tokens, fewer than one window of 512"));
  EXPECT_TRUE(IsInvalid(CountWindows(0, 8), "INVALID_TEXT", "has 0 tokens"));
}

TEST(WindowsTest, SpacesEvenly) {
  // The reference protocol: four of the 152 windows of WikiText-2's test split.
  EXPECT_THAT(EvenlySpacedWindows(152, 4), ElementsAre(0, 38, 76, 114));
  EXPECT_THAT(EvenlySpacedWindows(10, 3), ElementsAre(0, 3, 6));
  EXPECT_THAT(EvenlySpacedWindows(3, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpacedWindows(3, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpacedWindows(3, 100), ElementsAre(0, 1, 2));
  EXPECT_THAT(EvenlySpacedWindows(1, 1), ElementsAre(0));
  for (int64_t available = 1; available < 40; ++available) {
    for (int64_t wanted = 1; wanted <= available; ++wanted) {
      const std::vector<int64_t> windows = EvenlySpacedWindows(available, wanted);
      ASSERT_EQ(windows.size(), static_cast<size_t>(wanted));
      EXPECT_EQ(std::adjacent_find(windows.begin(), windows.end(), std::greater_equal<>()),
                windows.end());
      EXPECT_LT(windows.back(), available);
    }
  }
}

TEST(WindowsTest, CutsWindows) {
  std::vector<int32_t> tokens(10);
  std::iota(tokens.begin(), tokens.end(), 0);
  EXPECT_THAT(WindowAt(tokens, 0, 4), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(WindowAt(tokens, 1, 4), ElementsAre(4, 5, 6, 7));
  EXPECT_DEATH(WindowAt(tokens, 2, 4), "broken invariant");
}

TEST(WindowOrderTest, EachEpochTakesEveryWindowOnce) {
  WindowOrder order(7, 42);
  std::vector<std::vector<int64_t>> epochs;
  for (int epoch = 0; epoch < 5; ++epoch) {
    std::vector<int64_t>& windows = epochs.emplace_back();
    for (int i = 0; i < 7; ++i) windows.push_back(order.Next());
    EXPECT_THAT(windows, testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6));
  }
  EXPECT_NE(epochs[0], epochs[1]);
}

TEST(WindowOrderTest, IsAFunctionOfTheSeed) {
  WindowOrder a(1000, 1);
  WindowOrder same(1000, 1);
  WindowOrder other(1000, 2);
  int equal_count = 0;
  for (int i = 0; i < 3000; ++i) {
    const int64_t window = a.Next();
    EXPECT_EQ(window, same.Next());
    equal_count += window == other.Next();
  }
  EXPECT_LT(equal_count, 100);  // three are expected by chance
}

// Computed by an independent implementation of the documented algorithm (in Python).
TEST(WindowOrderTest, GivesTheSameOrderEverywhere) {
  WindowOrder order(8, 0);
  std::vector<int64_t> windows;
  for (int i = 0; i < 16; ++i) windows.push_back(order.Next());
  EXPECT_THAT(windows, ElementsAre(2, 5, 0, 3, 4, 6, 1, 7, 3, 7, 2, 6, 1, 0, 5, 4));
}

TEST(WindowOrderTest, OneWindowComesAgainAndAgain) {
  WindowOrder order(1, 5);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(order.Next(), 0);
}

}  // namespace
}  // namespace sasq
