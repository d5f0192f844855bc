#include "quant/train/adam.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace sasq {
namespace {

TEST(AdamTest, FirstStepsAreTheDefinition) {
  const AdamOptions options = {0.9, 0.95, 1e-8};
  AdamMoments moments = {{0}, {0}};
  std::vector<double> parameter = {1};
  double first = 0, second = 0, want = 1;
  int step = 0;
  for (const double gradient : {0.5, -2.0, 0.25}) {
    ++step;
    AdamStep(options, step, 0.1, std::vector<double>{gradient}, moments, absl::MakeSpan(parameter));
    first = 0.9 * first + 0.1 * gradient;
    second = 0.95 * second + 0.05 * gradient * gradient;
    want -= 0.1 * (first / (1 - std::pow(0.9, step))) /
            (std::sqrt(second / (1 - std::pow(0.95, step))) + 1e-8);
    EXPECT_DOUBLE_EQ(parameter[0], want);
  }
}

TEST(AdamTest, FirstStepHasTheLengthOfTheRate) {
  AdamMoments moments = {{0, 0}, {0, 0}};
  std::vector<double> parameters = {0, 0};
  AdamStep({}, 1, 0.06, std::vector<double>{3e-4, -7.0}, moments, absl::MakeSpan(parameters));
  EXPECT_NEAR(parameters[0], -0.06, 1e-5);
  EXPECT_NEAR(parameters[1], 0.06, 1e-5);
}

TEST(AdamTest, AParameterWithoutGradientStays) {
  AdamMoments moments = {{0}, {0}};
  std::vector<double> parameter = {0.25};
  AdamStep({}, 1, 0.06, std::vector<double>{0}, moments, absl::MakeSpan(parameter));
  EXPECT_EQ(parameter[0], 0.25);
}

TEST(CosineLearningRateTest, RisesThenFalls) {
  EXPECT_DOUBLE_EQ(CosineLearningRate(0.06, 5, 60, 1), 0.012);
  EXPECT_DOUBLE_EQ(CosineLearningRate(0.06, 5, 60, 5), 0.06);
  EXPECT_DOUBLE_EQ(CosineLearningRate(0.06, 5, 60, 6), 0.06);
  EXPECT_NEAR(CosineLearningRate(0.06, 0, 60, 31), 0.03, 1e-12);
  for (int step = 7; step <= 60; ++step) {
    EXPECT_LT(CosineLearningRate(0.06, 5, 60, step), CosineLearningRate(0.06, 5, 60, step - 1));
  }
  EXPECT_GT(CosineLearningRate(0.06, 5, 60, 60), 0);
}

TEST(CosineLearningRateTest, AllWarmUp) {
  EXPECT_DOUBLE_EQ(CosineLearningRate(0.1, 2, 2, 1), 0.05);
  EXPECT_DOUBLE_EQ(CosineLearningRate(0.1, 2, 2, 2), 0.1);
}

}  // namespace
}  // namespace sasq
