#include "quant/artifact/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace sasq {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(PerplexityIntervalTest, IsThatOfTheNormalDistributionForManyWindows) {
  // 400 losses, evenly spread over 2..4: mean 3, deviation 2 / sqrt(12), standard error 0.0289.
  std::vector<double> losses;
  for (int i = 0; i < 400; ++i) losses.push_back(2 + (i + 0.5) / 200);
  const Interval interval = PerplexityInterval(losses).value();
  const double reach = 1.96 * 2 / std::sqrt(12.0 * 400);
  // Resampling finds a 2.5% point to within 3% of the standard error (10,000 draws); this allows
  // four times that.
  EXPECT_NEAR(std::log(interval.low), 3 - reach, 0.12 * reach / 1.96);
  EXPECT_NEAR(std::log(interval.high), 3 + reach, 0.12 * reach / 1.96);
}

TEST(PerplexityIntervalTest, OfTwoWindowsReachesFromOneToTheOther) {
  // A quarter of the resamples takes the same window twice.
  const Interval interval = PerplexityInterval({2.0, 3.0}).value();
  EXPECT_DOUBLE_EQ(interval.low, std::exp(2.0));
  EXPECT_DOUBLE_EQ(interval.high, std::exp(3.0));
}

TEST(PerplexityIntervalTest, NeedsTwoWindows) {
  EXPECT_FALSE(PerplexityInterval({}).has_value());
  EXPECT_FALSE(PerplexityInterval({2.0}).has_value());
}

TEST(PerplexityIntervalTest, CollapsedWindowsAreInfinite) {
  for (const double collapsed : {kInfinity, kNan}) {
    const Interval one = PerplexityInterval({2.0, 3.0, collapsed}).value();
    // 8 of 27 resamples miss it.
    EXPECT_GE(one.low, std::exp(2.0));
    EXPECT_LE(one.low, std::exp(3.0));
    EXPECT_EQ(one.high, kInfinity);
    const Interval all = PerplexityInterval({collapsed, collapsed}).value();
    EXPECT_EQ(all.low, kInfinity);
    EXPECT_EQ(all.high, kInfinity);
  }
}

TEST(PerplexityIntervalTest, IsReproducible) {
  const std::vector<double> losses = {2.1, 2.4, 3.3, 2.9, 2.2};
  const Interval first = PerplexityInterval(losses).value();
  const Interval second = PerplexityInterval(losses).value();
  EXPECT_EQ(first.low, second.low);
  EXPECT_EQ(first.high, second.high);
}

TEST(ComparePairedTest, CountsSignPatterns) {
  // All four differ in one direction: of 16 patterns only this and its mirror are as extreme.
  const PairedDifference same_sign =
      ComparePaired({3.1, 2.2, 4.3, 2.4}, {3.0, 2.0, 4.0, 2.0}).value();
  EXPECT_NEAR(same_sign.mean_nats, 0.25, 1e-12);
  EXPECT_DOUBLE_EQ(same_sign.p_value, 2.0 / 16);
  EXPECT_NEAR(same_sign.interval.low, 0.125, 0.026);  // means of four draws are multiples of 0.025
  EXPECT_NEAR(same_sign.interval.high, 0.35, 0.026);

  // Differences 1, 2, -4: |sum| is 7, 5, 3 or 1, twice each; 1 is observed.
  EXPECT_DOUBLE_EQ(ComparePaired({1, 2, 0}, {0, 0, 4})->p_value, 1);
  // Differences 1, -2, -4: 5 is observed.
  const PairedDifference mixed = ComparePaired({1, 0, 0}, {0, 2, 4}).value();
  EXPECT_DOUBLE_EQ(mixed.p_value, 0.5);
  EXPECT_NEAR(mixed.mean_nats, -5.0 / 3, 1e-12);
}

TEST(ComparePairedTest, TheOrderOfRowsChangesTheSignAlone) {
  const std::vector<double> row = {3.1, 2.2, 4.3, 2.4, 2.0};
  const std::vector<double> other = {3.0, 2.3, 4.0, 2.0, 2.1};
  const PairedDifference forth = ComparePaired(row, other).value();
  const PairedDifference back = ComparePaired(other, row).value();
  EXPECT_DOUBLE_EQ(forth.mean_nats, -back.mean_nats);
  EXPECT_DOUBLE_EQ(forth.p_value, back.p_value);
  EXPECT_DOUBLE_EQ(forth.interval.low, -back.interval.high);
  EXPECT_DOUBLE_EQ(forth.interval.high, -back.interval.low);
}

TEST(ComparePairedTest, EqualRowsDoNotDiffer) {
  for (const size_t window_count : {size_t{3}, size_t{40}}) {
    const std::vector<double> losses(window_count, 2.5);
    const PairedDifference difference = ComparePaired(losses, losses).value();
    EXPECT_EQ(difference.mean_nats, 0);
    EXPECT_EQ(difference.p_value, 1);
    EXPECT_EQ(difference.interval.low, 0);
    EXPECT_EQ(difference.interval.high, 0);
  }
}

TEST(ComparePairedTest, RandomFlipsAgreeWithAllPatterns) {
  // 15 windows: one more than are tested exactly.
  std::vector<double> row, other(15, 0.0);
  for (int i = 0; i < 15; ++i) row.push_back(i % 3 == 0 ? -1.0 - 0.01 * i : 1.0 + 0.02 * i);
  double observed = 0;
  for (const double difference : row) observed += difference;
  int extreme_count = 0;
  for (uint32_t pattern = 0; pattern < 1u << 15; ++pattern) {
    double sum = 0;
    for (int i = 0; i < 15; ++i) sum += (pattern >> i & 1 ? -1 : 1) * row[static_cast<size_t>(i)];
    extreme_count += std::abs(sum) >= observed - 1e-9;
  }
  const double exact = extreme_count / 32768.0;
  ASSERT_GT(exact, 0.05);
  // Five deviations of a share of 20,000 draws.
  EXPECT_NEAR(ComparePaired(row, other)->p_value, exact,
              5 * std::sqrt(exact * (1 - exact) / 20'000));
}

TEST(ComparePairedTest, ADifferenceInManyWindowsIsSure) {
  // 100 windows need more random bits than one word has.
  std::vector<double> row(100, 2.01), other(100, 2.0);
  EXPECT_NEAR(ComparePaired(row, other)->p_value, 1.0 / 20'001, 1e-12);
}

TEST(ComparePairedTest, HasNoAnswerForOneWindowOrACollapsedRow) {
  EXPECT_FALSE(ComparePaired({1.0}, {2.0}).has_value());
  EXPECT_FALSE(ComparePaired({1.0, kInfinity}, {2.0, 2.0}).has_value());
  EXPECT_FALSE(ComparePaired({1.0, 1.0}, {2.0, kNan}).has_value());
  EXPECT_FALSE(ComparePaired({1.0, kInfinity}, {2.0, kInfinity}).has_value());
}

TEST(ComparePairedTest, RowsOfDifferentWindowsAreNoPair) {
  EXPECT_DEATH(ComparePaired({1.0, 2.0}, {1.0}), "broken invariant");
}

}  // namespace
}  // namespace sasq
