#include "client/sparkline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace sasq {
namespace {

constexpr TextStyle kAscii;
constexpr TextStyle kUtf8{.utf8 = true, .color = false};

TEST(SparklineTest, GoesFromTheLeastToTheGreatest) {
  const std::vector<double> values = {0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(RenderSparkline(values, 8, kUtf8), "▁▂▃▄▅▆▇█");
  EXPECT_EQ(RenderSparkline(values, 8, kAscii), "_.,-=+*#");
}

TEST(SparklineTest, ShowsTheLatest) { EXPECT_EQ(RenderSparkline({9, 9, 2, 1}, 2, kUtf8), "█▁"); }

TEST(SparklineTest, BearsWhatIsNoCourse) {
  EXPECT_EQ(RenderSparkline({}, 8, kUtf8), "");
  EXPECT_EQ(RenderSparkline({1}, 8, kUtf8), "");
  EXPECT_EQ(RenderSparkline({1, 2}, 0, kUtf8), "");
  EXPECT_EQ(RenderSparkline({3, 3}, 8, kUtf8), "▅▅");
  EXPECT_EQ(RenderSparkline({1, NAN, INFINITY, 2}, 8, kUtf8), "▁!!█");
}

}  // namespace
}  // namespace sasq
