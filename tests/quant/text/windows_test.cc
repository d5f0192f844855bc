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

TEST(StridedWindowsTest, WithoutOverlapAreTheWindows) {
  const int64_t counts[] = {8, 9, 15, 16, 100};
  for (const int64_t token_count : counts) {
    const int64_t available = CountWindows(token_count, 8).value();
    for (const int64_t wanted : {0, 1, 3, 100}) {
      const std::vector<StridedWindow> windows =
          CutStridedWindows(token_count, 8, 8, wanted).value();
      const std::vector<int64_t> want = EvenlySpacedWindows(available, wanted);
      ASSERT_EQ(windows.size(), want.size());
      for (size_t i = 0; i < want.size(); ++i) {
        EXPECT_EQ(windows[i].begin, want[i] * 8);
        EXPECT_EQ(windows[i].first_position, 0);
      }
    }
  }
}

TEST(StridedWindowsTest, ScoreEachTokenOnce) {
  constexpr int64_t kWindow = 16;
  for (int64_t stride = 1; stride < kWindow; ++stride) {
    for (const int64_t token_count : {16, 17, 31, 64, 100}) {
      std::vector<int> score_counts(static_cast<size_t>(token_count), 0);
      const std::vector<StridedWindow> windows =
          CutStridedWindows(token_count, kWindow, stride, 0).value();
      for (const StridedWindow& window : windows) {
        for (int64_t t = window.first_position; t + 1 < kWindow; ++t) {
          ++score_counts.at(static_cast<size_t>(window.begin + t + 1));
        }
      }
      const size_t end = static_cast<size_t>(windows.back().begin + kWindow);
      EXPECT_LT(token_count - windows.back().begin - kWindow, stride);
      EXPECT_EQ(score_counts[0], 0);  // nothing predicts it
      for (size_t t = 1; t < score_counts.size(); ++t) {
        EXPECT_EQ(score_counts[t], t < end) << "token " << t << ", stride " << stride;
      }
    }
  }
}

TEST(StridedWindowsTest, FewerAreTheSameOnesEvenlySpaced) {
  // Windows begin at 0, 4, ... 84: 22 of them.
  const std::vector<StridedWindow> all = CutStridedWindows(100, 16, 4, 0).value();
  ASSERT_EQ(all.size(), 22u);
  EXPECT_EQ(all[1].first_position, 11);
  const std::vector<StridedWindow> few = CutStridedWindows(100, 16, 4, 3).value();
  ASSERT_EQ(few.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const StridedWindow& same = all[i * 22 / 3];
    EXPECT_EQ(few[i].begin, same.begin);
    EXPECT_EQ(few[i].first_position, same.first_position);
  }
}

TEST(StridedWindowsTest, RefuseATextShorterThanOne) {
  EXPECT_TRUE(IsInvalid(CutStridedWindows(511, 512, 128, 4), "INVALID_TEXT",
                        "the text has 511 tokens, fewer than one window of 512"));
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
