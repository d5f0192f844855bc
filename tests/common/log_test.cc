#include "common/log.h"

#include <gtest/gtest.h>

namespace sasq {
namespace {

TEST(LogTest, FieldsAreLogfmt) {
  EXPECT_EQ(FormatLogFields({{"job", "a1"}, {"step", 3}, {"empty", ""}}),
            "job=a1 step=3 empty=\"\"");
}

TEST(LogTest, ValuesCannotBreakTheLine) {
  EXPECT_EQ(FormatLogFields({{"message", "two words\nlevel=error \"x\""}}),
            R"(message="two words\nlevel=error \"x\"")");
}

TEST(LogTest, KnowsItsLevels) {
  EXPECT_TRUE(SetLogLevel("warning").ok());
  EXPECT_EQ(SetLogLevel("loud").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SetLogLevel("info").ok());
}

}  // namespace
}  // namespace sasq
