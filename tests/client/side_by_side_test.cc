#include "client/side_by_side.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sasq {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ReportSummary Trained() {
  ReportSummary summary;
  summary.name = "jobs/a";
  summary.model = "smol";
  summary.row = "sasq";
  summary.method = "sasq";
  summary.first_token = "float";
  summary.activations = "static";
  summary.activation_bits = summary.weight_bits = 8;
  summary.texts = {{"", 18.984, 18.5, 19.5, 1.0843}, {"code", 6.7, {}, {}, {}}};
  summary.kl_divergence = 0.0712;
  summary.top1_agreement = 0.93;
  summary.pack_bytes = 12 << 10;
  summary.sites = {{"layers.0.down_in", {"static", 0.5}}, {"layers.0.o_in", {"float", {}}}};
  summary.provenance = {{"device_name", "cpu | one"}};
  return summary;
}

ReportSummary Untrained() {
  ReportSummary summary = Trained();
  summary.name = "out";
  summary.row = summary.method = "static_mse";
  summary.rejected = true;
  summary.texts = {{"", std::nullopt, {}, {}, {}}};
  summary.kl_divergence.reset();
  summary.sites["layers.0.down_in"].scale = 1.5;
  summary.provenance = {{"device_name", "two"}};
  return summary;
}

TEST(SideBySideTest, Tables) {
  const std::string text = SideBySideTables(Trained(), Untrained(), TextStyle{}, 200);
  EXPECT_THAT(text, HasSubstr("jobs/a"));
  EXPECT_THAT(text, testing::ContainsRegex("perplexity +18.984 \\(18.500..19.500\\) +-"));
  EXPECT_THAT(text, testing::ContainsRegex("over float +\\+8.43% +-"));
  EXPECT_THAT(text, testing::ContainsRegex("perplexity on code +6.700 +-"));
  EXPECT_THAT(text, testing::ContainsRegex("gates +- +rejected"));
  EXPECT_THAT(text, testing::ContainsRegex("KL +0.0712 +-"));
  EXPECT_THAT(text, testing::ContainsRegex("scale pack +12.0 KiB +12.0 KiB"));
  EXPECT_THAT(text, testing::ContainsRegex("layers.0.down_in +0.5 +1.5 +3.000"));
  EXPECT_THAT(text, Not(HasSubstr("layers.0.o_in"))) << "no difference";
  EXPECT_THAT(text, testing::ContainsRegex("device_name +cpu . one +two"));
  const std::string same = SideBySideTables(Trained(), Trained(), TextStyle{}, 200);
  EXPECT_THAT(same, HasSubstr("No scale differs."));
  EXPECT_THAT(same, HasSubstr("Nothing differs."));
  EXPECT_THAT(same, Not(HasSubstr("energy"))) << "neither report has a figure";
}

TEST(SideBySideTest, ShowsTheTenSitesThatDifferMost) {
  ReportSummary a = Trained();
  ReportSummary b = Trained();
  for (int layer = 1; layer < 13; ++layer) {
    const std::string site = "layers." + std::to_string(layer) + ".o_in";
    a.sites[site] = {"static", 1.0};
    b.sites[site] = {"static", 1.0 + layer};
  }
  const std::string text = SideBySideTables(a, b, TextStyle{}, 200);
  EXPECT_THAT(text, HasSubstr("layers.12.o_in"));
  EXPECT_THAT(text, Not(HasSubstr("layers.2.o_in")));
  EXPECT_THAT(text, HasSubstr("And 2 more sites."));
  EXPECT_EQ(nlohmann::json::parse(SideBySideJson(a, b))["scales"].size(), 12u);
}

TEST(SideBySideTest, Markdown) {
  const std::string text = SideBySideMarkdown(Trained(), Untrained());
  EXPECT_THAT(text, testing::StartsWith("|  | jobs/a | out |\n| --- | --- | --- |\n"));
  EXPECT_THAT(text, HasSubstr("| method | sasq | static\\_mse |\n"));
  EXPECT_THAT(text, HasSubstr("| device\\_name | cpu \\| one | two |\n"));
  EXPECT_THAT(text, HasSubstr("\n### Scales that differ most\n\n| site |"));
}

TEST(SideBySideTest, Json) {
  const auto json = nlohmann::json::parse(SideBySideJson(Trained(), Untrained()));
  EXPECT_EQ(json["a"]["texts"][0]["perplexity"], 18.984);
  EXPECT_EQ(json["a"]["texts"][0]["ratio_to_float"], 1.0843);
  EXPECT_TRUE(json["b"]["texts"][0]["perplexity"].is_null());
  EXPECT_EQ(json["b"]["rejected"], true);
  EXPECT_EQ(json["scales"][0]["site"], "layers.0.down_in");
  EXPECT_EQ(json["scales"][0]["ratio"], 3);
  EXPECT_EQ(json["provenance"][0]["b"], "two");
}

}  // namespace
}  // namespace sasq
