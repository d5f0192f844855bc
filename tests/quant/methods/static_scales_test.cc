#include "quant/methods/static_scales.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace sasq {
namespace {

double SquaredError(const std::vector<float>& values, double scale) {
  double error = 0;
  for (const float value : values) {
    const double x = std::abs(static_cast<double>(value));
    const double difference = x - scale * std::min(std::nearbyint(x / scale), 127.0);
    error += difference * difference;
  }
  return error;
}

struct Shape {
  std::string name;
  std::vector<float> values;
};

std::vector<Shape> Shapes() {
  std::mt19937 random(5);
  std::normal_distribution<float> normal(0, 0.7f);
  std::uniform_real_distribution<float> uniform(-3, 3);
  Shape gaussian = {"Normal", {}};
  Shape flat = {"Uniform", {}};
  Shape spiked = {"MassiveOutliers", {}};
  Shape heavy = {"HeavyTails", {}};
  for (int i = 0; i < 20'000; ++i) {
    gaussian.values.push_back(normal(random));
    flat.values.push_back(uniform(random));
    spiked.values.push_back(i % 500 == 0 ? 2400.0f + 0.023f * static_cast<float>(i)
                                         : normal(random));
    const float value = normal(random);
    heavy.values.push_back(value * value * value * 4);
  }
  return {gaussian, flat, spiked, heavy};
}

class MseScalesTest : public ::testing::TestWithParam<Shape> {};

// The histogram knows magnitudes to 1.6%, so where each of a few outliers falls between two codes
// is luck that brute force can pick and the histogram cannot: a few percent of the error, no more.
TEST_P(MseScalesTest, IsAsGoodAsBruteForceOnRawValues) {
  const std::vector<float>& values = GetParam().values;
  double best = INFINITY;
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  for (double share = 1; share > 1e-4; share *= 0.98) {
    best = std::min(best, SquaredError(values, static_cast<double>(largest) * share / 127));
  }

  ActivationStatistics statistics;
  statistics.window_count = 1;
  statistics.sites.resize(1);
  statistics.sites[0].first.Add(absl::MakeConstSpan(values).first(1));
  statistics.sites[0].rest.Add(absl::MakeConstSpan(values).subspan(1));
  const std::vector<float> scales = StaticScales(statistics, {.rule = v1::SCALE_RULE_MSE});
  ASSERT_EQ(scales.size(), 1u);
  EXPECT_LE(SquaredError(values, static_cast<double>(scales[0])), 1.05 * best);
}

INSTANTIATE_TEST_SUITE_P(Shapes, MseScalesTest, ::testing::ValuesIn(Shapes()),
                         [](const auto& shape) { return shape.param.name; });

TEST(StaticScalesTest, FirstTokensCountOnlyWhereTheyShould) {
  ActivationStatistics statistics;
  statistics.window_count = 2;
  statistics.sites.resize(1);
  SiteStatistics& site = statistics.sites[0];
  site.absmax_sum = 127 * 6;
  site.absmax_sum_without_first = 127 * 2;
  const std::vector<float> first(1000, 635.0f);
  const std::vector<float> rest(1000, 12.7f);
  site.first.Add(first);
  site.rest.Add(rest);
  EXPECT_FLOAT_EQ(StaticScales(statistics, {.rule = v1::SCALE_RULE_ABSMAX_MEAN})[0], 3);
  EXPECT_FLOAT_EQ(
      StaticScales(statistics, {.rule = v1::SCALE_RULE_ABSMAX_MEAN, .without_first = true})[0], 1);
  EXPECT_NEAR(static_cast<double>(StaticScales(statistics, {.rule = v1::SCALE_RULE_MSE})[0]), 5,
              0.1);
  EXPECT_NEAR(static_cast<double>(
                  StaticScales(statistics, {.rule = v1::SCALE_RULE_MSE, .without_first = true})[0]),
              0.1, 0.01);
}

TEST(StaticScalesTest, ASiteThatIsAlwaysZeroGetsAScale) {
  ActivationStatistics statistics;
  statistics.window_count = 1;
  statistics.sites.resize(1);
  const std::vector<float> zeros(10, 0.0f);
  statistics.sites[0].rest.Add(zeros);
  EXPECT_EQ(StaticScales(statistics, {.rule = v1::SCALE_RULE_ABSMAX_MEAN}), std::vector<float>{1});
  EXPECT_EQ(StaticScales(statistics, {.rule = v1::SCALE_RULE_MSE}), std::vector<float>{1});
}

}  // namespace
}  // namespace sasq
