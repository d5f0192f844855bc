#include "client/proto_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "sasq/v1/job.pb.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;

TEST(ToJsonTest, WritesProtoNamesAndFieldsThatAreZero) {
  v1::Job job;
  job.set_name("jobs/1");
  job.set_state(v1::JOB_STATE_QUEUED);
  job.add_rows()->set_perplexity(std::numeric_limits<double>::infinity());
  const std::string json = ToJson(job);
  EXPECT_THAT(json, HasSubstr("\"state\": \"JOB_STATE_QUEUED\""));
  EXPECT_THAT(json, HasSubstr("\"attempt_count\": 0"));
  EXPECT_THAT(json, HasSubstr("\"perplexity\": \"Infinity\""));
  EXPECT_EQ(json.back(), '\n');
}

TEST(FormatJsonTest, YamlKeepsTypes) {
  const std::string json =
      R"({"text": "12", "number": 12, "flag": true, "list": [], "map": {}, "deep": {"a": ["x: y", 1.5]}})";
  EXPECT_EQ(FormatJson(json, OutputFormat::kYaml),
            "text: \"12\"\n"
            "number: 12\n"
            "flag: true\n"
            "list: []\n"
            "map: {}\n"
            "deep:\n"
            "  a:\n"
            "    - \"x: y\"\n"
            "    - 1.5\n");
  EXPECT_EQ(FormatJson(json, OutputFormat::kJson), json);
}

}  // namespace
}  // namespace sasq
