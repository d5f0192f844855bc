#include "common/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace sasq {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { (void)SetLogFormat("logfmt"); }
};

TEST_F(LogTest, FieldsAreLogfmt) {
  EXPECT_EQ(FormatLogLine({{"job", "a1"}, {"step", 3}, {"empty", ""}}), "job=a1 step=3 empty=\"\"");
}

TEST_F(LogTest, ValuesCannotBreakTheLine) {
  EXPECT_EQ(FormatLogLine({{"message", "two words\nlevel=error \"x\""}}),
            R"(message="two words\nlevel=error \"x\"")");
}

TEST_F(LogTest, LinesAreJsonIfToldSo) {
  ASSERT_TRUE(SetLogFormat("json").ok());
  EXPECT_EQ(FormatLogLine({{"message", "two \"words\"\n"}, {"step", 3}}),
            R"({"message":"two \"words\"\n","step":"3"})");
  CaptureStderr();
  LogWarning("something", {{"bytes", "no UTF-8: \xff\xfe"}});
  const nlohmann::json line = nlohmann::json::parse(GetCapturedStderr());
  EXPECT_EQ(line["level"], "warning");
  EXPECT_EQ(line["event"], "something");
  EXPECT_EQ(line["bytes"], "no UTF-8: \xef\xbf\xbd\xef\xbf\xbd");
  EXPECT_EQ(line["ts"].get<std::string>().size(), std::string("2026-01-01T00:00:00.000Z").size());
}

TEST_F(LogTest, ScopesNameWhatLinesAreAbout) {
  CaptureStderr();
  {
    const LogScope outer({{"job", "jobs/1"}, {"trace", ""}});
    {
      const LogScope inner({{"request", "r1"}});
      LogInfo("inside", {{"size", 3}});
      LogInfo("another", {{"job", "jobs/2"}});
    }
    LogInfo("between");
  }
  LogInfo("outside");
  const std::string text = GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("event=inside size=3 request=r1 job=jobs/1\n"));
  EXPECT_THAT(text, HasSubstr("event=another job=jobs/2 request=r1\n"));
  EXPECT_THAT(text, HasSubstr("event=between job=jobs/1\n"));
  EXPECT_THAT(text, HasSubstr("event=outside\n"));
  EXPECT_THAT(text, Not(HasSubstr("trace")));
}

TEST_F(LogTest, KnowsItsLevelsAndFormats) {
  EXPECT_TRUE(SetLogLevel("warning").ok());
  EXPECT_EQ(SetLogLevel("loud").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(SetLogLevel("info").ok());
  EXPECT_EQ(SetLogFormat("xml").code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq
