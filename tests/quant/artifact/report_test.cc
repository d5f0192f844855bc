#include "quant/artifact/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "common/sha256.h"
#include "quant/artifact/artifact.h"
#include "quant/artifact/manifest.h"
#include "quant/artifact/report_html.h"
#include "quant/artifact/report_plot.h"
#include "tests/quant/artifact/sample.h"

namespace sasq {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ReportJsonTest, HasTheKeysThatScriptsRead) {
  const json report = json::parse(ReportJson(SampleReport()));
  EXPECT_EQ(report["model"], "Sample-135M <made up>");
  EXPECT_EQ(report["dataset"], "sample.test.raw & friends");
  const json& row = report["rows"].at(1);
  EXPECT_EQ(row["method"], "rtn_dynamic");
  EXPECT_EQ(row["first_token"], "quantized");
  EXPECT_EQ(row["perplexity"], 17.9);
  EXPECT_EQ(row["perplexity_ratio"], 17.9 / 17.2);
  EXPECT_EQ(row["windows"], 4);
  EXPECT_EQ(row["tokens"], 8188);
  EXPECT_EQ(row["seconds"], 23.4);
  EXPECT_EQ(row["window_mean_loss"].size(), 4u);
  EXPECT_FALSE(row.contains("perplexity_note"));
  EXPECT_EQ(report["trainings"][0]["sites"][3]["site"], "layers.0.down_in");
  EXPECT_EQ(report["provenance"]["spec"]["recipe"]["training"]["stepCount"], 60);
}

TEST(ReportJsonTest, ComparesWithTheFloatRowOnTheSameTokens) {
  const json report = json::parse(ReportJson(SampleReport()));
  EXPECT_EQ(report["rows"].at(7)["perplexity_ratio"], 18.1 / 17.1);

  Report without_reference = SampleReport();
  without_reference.rows.erase(without_reference.rows.begin() + 5);
  const json rows = json::parse(ReportJson(without_reference))["rows"];
  EXPECT_EQ(rows.at(6)["method"], "sasq");
  EXPECT_TRUE(rows.at(6)["perplexity_ratio"].is_null());
}

TEST(ReportJsonTest, FiguresThatJsonCannotSayAreNullWithANote) {
  Report report = SampleReport();
  report.rows[1].perplexity = std::numeric_limits<double>::quiet_NaN();
  const json rows = json::parse(ReportJson(report))["rows"];
  EXPECT_TRUE(rows[1]["perplexity"].is_null());
  EXPECT_THAT(rows[1]["perplexity_note"].get<std::string>(), HasSubstr("not a number"));
  EXPECT_TRUE(rows[2]["perplexity"].is_null());
  EXPECT_THAT(rows[2]["perplexity_note"].get<std::string>(), HasSubstr("infinite"));
  EXPECT_TRUE(rows[2]["perplexity_ratio"].is_null());
}

TEST(ReportJsonTest, EnergyIsAbsentUnlessMeasured) {
  Report report = SampleReport();
  EXPECT_FALSE(json::parse(ReportJson(report))["cost"].contains("joules"));
  report.cost.joules = 1234.5;
  EXPECT_EQ(json::parse(ReportJson(report))["cost"]["joules"], 1234.5);
}

TEST(ReportJsonTest, BytesThatAreNotUtf8DoNotBreakIt) {
  Report report = SampleReport();
  report.model = "caf\xe9";
  report.provenance.spec_json = "not json";
  const json parsed = json::parse(ReportJson(report));
  EXPECT_EQ(parsed["model"], "caf\xef\xbf\xbd");
  EXPECT_TRUE(parsed["provenance"]["spec"].is_null());
}

TEST(ReportHtmlTest, TextFromOutsideIsEscaped) {
  Report report = SampleReport();
  report.model = "<img src=x onerror='a'>";
  report.dataset = "\"quoted\" & <b>bold</b>";
  report.provenance.inputs[0].uri = "file:/<script>";
  const std::string html = ReportHtml(report);
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=&#39;a&#39;&gt;"));
  EXPECT_THAT(html, HasSubstr("&quot;quoted&quot; &amp; &lt;b&gt;bold&lt;/b&gt;"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(ReportHtmlTest, ShowsEveryRowAndLoadsNothing) {
  const std::string html = ReportHtml(SampleReport());
  EXPECT_THAT(html, HasSubstr("17.900"));
  EXPECT_THAT(html, HasSubstr("beyond range"));
  EXPECT_THAT(html, HasSubstr("+44.77%"));  // 24.9 / 17.2
  EXPECT_THAT(html, HasSubstr("not measurable on this machine"));
  for (const char* loader :
       {"http-equiv=\"refresh\"", "<link", "<iframe", "src=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(loader)));
  }
}

TEST(ReportHtmlTest, EmptyAndDegenerateReportsRender) {
  EXPECT_THAT(ReportHtml(Report()), HasSubstr("</html>"));
  Report report = SampleReport();
  report.trainings[0].step_loss.assign(3, std::numeric_limits<double>::quiet_NaN());
  report.trainings[0].sites = {{{0, SiteKind::kOIn}, 0.0f, 1.0f},
                               {{1, SiteKind::kOIn}, 1.0f, 0.0f}};
  report.trainings[1].step_loss = {2.5};
  report.trainings[1].sites.clear();
  const std::string html = ReportHtml(report);
  EXPECT_THAT(html, Not(HasSubstr("nan\"")));
  EXPECT_THAT(html, Not(HasSubstr("inf\"")));
}

TEST(ReportPlotTest, ManyStepsAreCondensed) {
  std::vector<double> losses(100'000, 3.0);
  losses.back() = 2.0;
  EXPECT_LT(LossPlot(losses).size(), 40'000u);
}

TEST(ArtifactTest, ManifestNamesEveryFileByDigest) {
  const auto files = AssembleArtifact(SamplePack(2), SampleReport());
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 4u);
  EXPECT_EQ(files->back().file_name, "manifest.json");
  const json manifest = json::parse(files->back().content);
  EXPECT_EQ(manifest["format_version"], 1);
  ASSERT_EQ(manifest["files"].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    const json& entry = manifest["files"][i];
    EXPECT_EQ(entry["file_name"], (*files)[i].file_name);
    EXPECT_EQ(entry["sha256"], Sha256Hex((*files)[i].content));
    EXPECT_EQ(entry["size_bytes"], (*files)[i].content.size());
    EXPECT_EQ(entry["reproducible"], (*files)[i].file_name == "scales.safetensors");
  }
  EXPECT_EQ(manifest["provenance"]["kernel_path"], "avx512_vnni");
  EXPECT_EQ(manifest["provenance"]["inputs"][0]["role"], "model");
}

TEST(ArtifactTest, MeasuredFiguresStayOutOfPackAndManifestText) {
  Report slower = SampleReport();
  slower.cost.wall_seconds *= 2;
  for (ComparisonRow& row : slower.rows) row.evaluation_seconds += 1;
  const auto one = AssembleArtifact(SamplePack(2), SampleReport()).value();
  const auto two = AssembleArtifact(SamplePack(2), slower).value();
  EXPECT_EQ(one[0].content, two[0].content);
  json first = json::parse(one[3].content);
  json second = json::parse(two[3].content);
  for (json* manifest : {&first, &second}) {
    for (json& file : (*manifest)["files"]) {
      if (file["reproducible"] == false) {
        file.erase("sha256");
        file.erase("size_bytes");
      }
    }
  }
  EXPECT_EQ(first, second);
}

TEST(ArtifactTest, ABrokenPackGivesNoArtifact) {
  ScalePack pack = SamplePack(1);
  pack.prefill_scales.clear();
  EXPECT_EQ(AssembleArtifact(pack, SampleReport()).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace sasq
