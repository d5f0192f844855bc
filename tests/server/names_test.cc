#include "server/names.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/rpc_status.h"
#include "common/uid.h"
#include "server/text_rules.h"

namespace sasq {
namespace {

constexpr char kId[] = "0123456789abcdef0123456789abcdef";

TEST(NamesTest, RoundTrips) {
  EXPECT_EQ(*ParseJobName(JobName(kId)), kId);
  EXPECT_EQ(ParseArtifactName(ArtifactName(kId))->id, kId);
  EXPECT_FALSE(ParseArtifactName(ArtifactName(kId))->by_job);
  EXPECT_TRUE(ParseArtifactName(JobName(kId))->by_job);
}

TEST(NamesTest, RefusesWhatIsNoName) {
  const std::string id = kId;
  for (const std::string& name : std::vector<std::string>{
           "", id, "jobs/" + id + "0", "jobs/" + id.substr(1), "Jobs/" + id, "jobs//" + id,
           "jobs/0123456789ABCDEF0123456789ABCDEF", "jobs/" + id + "/", "jobs/../" + id}) {
    EXPECT_EQ(ReasonOf(ParseJobName(name).status()), "INVALID_NAME") << name;
    EXPECT_EQ(ReasonOf(ParseArtifactName(name).status()), "INVALID_NAME") << name;
  }
  EXPECT_EQ(ReasonOf(ParseJobName(ArtifactName(kId)).status()), "INVALID_NAME");
}

TEST(PageTokenTest, LeadsOnForTheSameStatesOnly) {
  const std::vector<v1::JobState> states = {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING};
  const std::string token = MakePageToken(42, states);
  EXPECT_EQ(*ParsePageToken(token, states), 42);
  EXPECT_EQ(*ParsePageToken(token, {v1::JOB_STATE_RUNNING, v1::JOB_STATE_QUEUED}), 42);
  EXPECT_EQ(ReasonOf(ParsePageToken(token, {}).status()), "INVALID_REQUEST");
  EXPECT_EQ(ReasonOf(ParsePageToken("42", states).status()), "INVALID_REQUEST");
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(ParsePageToken(changed, states).ok()) << changed;
  }
}

TEST(TextRulesTest, PlainTextIsUtf8WithoutControls) {
  for (absl::string_view good : {"", "plain", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsPlainText(good)) << good;
  }
  for (absl::string_view bad :
       {"\n", "\x1b[0m", "\x7f", "\xc2\x85", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xff"}) {
    EXPECT_FALSE(IsPlainText(bad)) << bad;
  }
  EXPECT_FALSE(IsPlainText(absl::string_view("a\0b", 3)));
}

TEST(TextRulesTest, FileNamesHaveNoFolder) {
  EXPECT_TRUE(IsFileName("scales.safetensors"));
  for (const char* bad : {"", ".", "..", "a/b", "a b", "\xc3\xa9"}) EXPECT_FALSE(IsFileName(bad));
  EXPECT_FALSE(IsFileName(std::string(129, 'x')));
}

}  // namespace
}  // namespace sasq
