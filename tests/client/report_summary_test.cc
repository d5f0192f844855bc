#include "client/report_summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/quant/artifact/sample.h"

namespace sasq {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ReadReportTest, ReadsTheRowThatTheArtifactHolds) {
  const Report report = SampleReport();
  const auto summary = ReadReport(ReportJson(report), "r", "");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->row, report.recipe);
  const auto row =
      std::find_if(report.rows.begin(), report.rows.end(),
                   [&](const ComparisonRow& one) { return one.name == report.recipe; });
  ASSERT_NE(row, report.rows.end());
  EXPECT_EQ(summary->method, row->method);
  EXPECT_EQ(summary->texts[0].perplexity, row->text.perplexity);
  EXPECT_EQ(summary->texts[0].low, row->text.interval->low);
  ASSERT_EQ(summary->texts.size(), 1 + row->other_texts.size());
  EXPECT_EQ(summary->texts[1].name, row->other_texts[0].name);
  EXPECT_EQ(summary->kl_divergence, row->kl_divergence);
  EXPECT_EQ(summary->sites.size(), row->sites.size());
  EXPECT_EQ(summary->trained_bytes, row->cost.trained_bytes);
  EXPECT_EQ(summary->provenance[0].first, "code_version");
}

TEST(ReadReportTest, AnotherRowCanBeChosen) {
  const std::string text = ReportJson(SampleReport());
  EXPECT_EQ(ReadReport(text, "r", "fp")->method, "fp");
  EXPECT_TRUE(ReadReport(text, "r", "fp")->sites.empty());
  EXPECT_THAT(std::string(ReadReport(text, "r", "nothing").status().message()),
              HasSubstr("r has no row nothing, it has fp, "));
  EXPECT_THAT(std::string(ReadReport(ReportJson(SampleComparison()), "r", "").status().message()),
              HasSubstr("r is a comparison: choose one of its rows with --row: fp, "));
}

TEST(ReadReportTest, EveryRowOfEveryKindIsRead) {
  const Report report = SampleComparison();
  const std::string text = ReportJson(report);
  for (const ComparisonRow& row : report.rows) {
    EXPECT_TRUE(ReadReport(text, "r", row.name).ok()) << row.name;
  }
}

TEST(ReadReportTest, WhatIsNoReportIsRefused) {
  const std::string good = ReportJson(SampleReport());
  const std::pair<const char*, std::function<void(json&)>> cases[] = {
      {"format version 2", [](json& r) { r["format_version"] = 7; }},
      {"format version 2", [](json& r) { r.erase("format_version"); }},
      {"r: rows ", [](json& r) { r["rows"] = "x"; }},
      {"r: model ", [](json& r) { r["model"] = 1; }},
      {"perplexity ",
       [](json& r) {
         for (json& row : r["rows"]) row["perplexity"] = "x";
       }},
      {"perplexity_interval ",
       [](json& r) {
         for (json& row : r["rows"]) row["perplexity_interval"] = {1};
       }},
      {"cost ",
       [](json& r) {
         for (json& row : r["rows"]) row["cost"] = nullptr;
       }},
      {"provenance", [](json& r) { r.erase("provenance"); }},
  };
  for (const auto& [message, spoil] : cases) {
    json bad = json::parse(good);
    spoil(bad);
    const auto summary = ReadReport(bad.dump(), "r", "");
    EXPECT_EQ(summary.status().code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(std::string(summary.status().message()), HasSubstr(message));
  }
  EXPECT_FALSE(ReadReport("no JSON", "r", "").ok());
}

ReportSummary WithSites(std::map<std::string, SiteSummary> sites) {
  ReportSummary summary;
  summary.sites = std::move(sites);
  return summary;
}

TEST(CompareSitesTest, OtherPrecisionsFirstThenTheLargestRatio) {
  const ReportSummary a = WithSites({{"equal", {"static", 1.0}},
                                     {"half", {"static", 1.0}},
                                     {"tenfold", {"static", 1.0}},
                                     {"kind", {"static", 1.0}},
                                     {"float", {"float", std::nullopt}},
                                     {"only", {"static", 1.0}}});
  const ReportSummary b = WithSites({{"equal", {"static", 1.0}},
                                     {"half", {"static", 0.5}},
                                     {"tenfold", {"static", 10.0}},
                                     {"kind", {"dynamic", std::nullopt}},
                                     {"float", {"float", std::nullopt}}});
  std::vector<std::string> names;
  for (const SiteDifference& difference : CompareSites(a, b)) names.push_back(difference.site);
  EXPECT_THAT(names, ElementsAre("kind", "tenfold", "half"));
  EXPECT_EQ(CompareSites(a, b)[1].ratio, 10);
  EXPECT_EQ(CompareSites(a, b)[0].ratio, std::nullopt);
  EXPECT_THAT(CompareSites(a, a), IsEmpty());
}

TEST(CompareProvenanceTest, ListsWhatDiffersOrIsThereOnce) {
  ReportSummary a;
  a.provenance = {{"code_version", "1"}, {"device_name", "x"}, {"spec/seed", "0"}};
  ReportSummary b;
  b.provenance = {{"code_version", "2"}, {"device_name", "x"}, {"spec/gates", "1"}};
  std::vector<std::string> lines;
  for (const FieldDifference& d : CompareProvenance(a, b)) {
    lines.push_back(d.field + ":" + d.a + ":" + d.b);
  }
  EXPECT_THAT(lines, ElementsAre("code_version:1:2", "spec/seed:0:", "spec/gates::1"));
}

}  // namespace
}  // namespace sasq
