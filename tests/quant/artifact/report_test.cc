#include "quant/artifact/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "common/sha256.h"
#include "quant/artifact/artifact.h"
#include "quant/artifact/manifest.h"
#include "quant/artifact/report_markdown.h"
#include "tests/quant/artifact/sample.h"

namespace sasq {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

const json& RowNamed(const json& report, const std::string& name) {
  for (const json& row : report["rows"]) {
    if (row["name"] == name) return row;
  }
  ADD_FAILURE() << "no row " << name;
  return report["rows"][0];
}

TEST(ReportJsonTest, HasTheKeysThatScriptsRead) {
  const Report sample = SampleComparison();
  const json report = json::parse(ReportJson(sample));
  EXPECT_EQ(report["format_version"], 2);
  EXPECT_EQ(report["kind"], "compare");
  EXPECT_EQ(report["model"], "Sample-135M <made up>");
  EXPECT_EQ(report["dataset"], "sample.test.raw & friends");
  EXPECT_TRUE(report["recipe"].is_null());
  const json& row = report["rows"].at(2);
  EXPECT_EQ(row["name"], "rtn_dynamic");
  EXPECT_EQ(row["method"], "rtn_dynamic");
  EXPECT_EQ(row["first_token"], "quantized");
  EXPECT_EQ(row["activations"], "dynamic");
  EXPECT_EQ(row["servable"], true);
  EXPECT_EQ(row["perplexity"], sample.rows[2].text.perplexity);
  EXPECT_EQ(row["perplexity_interval"][1], sample.rows[2].text.interval->high);
  // 1 + (ratio - 1): two roundings of a double.
  EXPECT_NEAR(row["perplexity_ratio"].get<double>(),
              sample.rows[2].text.perplexity / sample.rows[0].text.perplexity, 1e-15);
  EXPECT_EQ(row["windows"], 12);
  EXPECT_EQ(row["tokens"], 12 * 2047);
  EXPECT_EQ(row["seconds"], 93.4);
  EXPECT_EQ(row["window_mean_loss"].size(), 12u);
  EXPECT_FALSE(row.contains("perplexity_note"));
  EXPECT_GT(row["against_float"]["mean_nats"], 0.02);
  EXPECT_LT(row["against_float"]["p_value"], 0.01);
  EXPECT_EQ(row["other_texts"][1]["name"], "code");
  EXPECT_GT(row["other_texts"][1]["perplexity_ratio"], 1.02);
  EXPECT_EQ(row["tasks"][0]["questions"], 60);
  EXPECT_EQ(row["generation"]["prompts"], 12);
  EXPECT_EQ(row["kl_by_position"].size(), 16u);
  const json& trained = RowNamed(report, "sasq");
  EXPECT_EQ(trained["step_loss"].size(), 60u);
  EXPECT_EQ(trained["sites"][3]["site"], "layers.0.down_in");
  EXPECT_EQ(trained["sites"][3]["octave_counts"].size(), 26u);
  EXPECT_EQ(trained["sites"][3]["outliers"][0]["position"], 0);
  // 2.1 s for 256 tokens against 121 s for 7,680; 4 FLOPs a weight against 6.
  EXPECT_NEAR(trained["cost"]["cpu_per_token_of_llm_qat"].get<double>(), 0.5207, 1e-4);
  EXPECT_NEAR(trained["cost"]["flops_per_token_of_llm_qat"].get<double>(), 2.0 / 3, 1e-9);
  EXPECT_TRUE(row["cost"]["cpu_per_token_of_llm_qat"].is_null());
  EXPECT_EQ(report["advice"]["serving"]["row"], "sasq-serve");
  EXPECT_EQ(report["advice"]["runtime"]["row"], "sasq-max");
  EXPECT_GE(report["advice"]["warnings"].size(), 3u);
  EXPECT_EQ(report["provenance"]["spec"]["recipe"]["training"]["stepCount"], 60);
}

TEST(ReportJsonTest, NamesTheChosenRow) {
  EXPECT_EQ(json::parse(ReportJson(SampleReport()))["recipe"], "sasq");
}

TEST(ReportJsonTest, ComparesWithTheFloatRowOnTheSameTokens) {
  Report sample = SampleComparison();
  const json report = json::parse(ReportJson(sample));
  EXPECT_NEAR(RowNamed(report, "sasq.prefix")["perplexity_ratio"].get<double>(), 1.064, 0.02);

  std::erase_if(sample.rows, [](const ComparisonRow& row) { return row.name == "fp.prefix"; });
  const json without_reference = json::parse(ReportJson(sample));
  const json& row = RowNamed(without_reference, "sasq.prefix");
  EXPECT_TRUE(row["perplexity_ratio"].is_null());
  EXPECT_TRUE(row["against_float"].is_null());
}

TEST(ReportJsonTest, FiguresThatJsonCannotSayAreNullWithANote) {
  Report sample = SampleComparison();
  sample.rows[2].text.perplexity = std::numeric_limits<double>::quiet_NaN();
  const json report = json::parse(ReportJson(sample));
  const json& nan_row = report["rows"][2];
  EXPECT_TRUE(nan_row["perplexity"].is_null());
  EXPECT_THAT(nan_row["perplexity_note"].get<std::string>(), HasSubstr("not a number"));
  const json& infinite = RowNamed(report, "static_w4a4");
  EXPECT_TRUE(infinite["perplexity"].is_null());
  EXPECT_THAT(infinite["perplexity_note"].get<std::string>(), HasSubstr("infinite"));
  EXPECT_TRUE(infinite["perplexity_ratio"].is_null());
  const json& unmeasured = RowNamed(report, "spinquant");
  EXPECT_TRUE(unmeasured["perplexity"].is_null());
  EXPECT_EQ(unmeasured["perplexity_note"], "not measured");
  EXPECT_TRUE(unmeasured["kl_divergence"].is_null());
  EXPECT_THAT(unmeasured["failure"].get<std::string>(), HasSubstr("RMSNorm"));
}

TEST(ReportJsonTest, EnergyIsAbsentUnlessMeasured) {
  Report sample = SampleComparison();
  const json without = json::parse(ReportJson(sample));
  EXPECT_FALSE(without["cost"].contains("joules"));
  EXPECT_FALSE(without["rows"][0]["cost"].contains("joules"));
  sample.cost.joules = 1234.5;
  sample.rows[0].cost.joules = 99.5;
  const json with = json::parse(ReportJson(sample));
  EXPECT_EQ(with["cost"]["joules"], 1234.5);
  EXPECT_EQ(with["rows"][0]["cost"]["joules"], 99.5);
}

TEST(ReportJsonTest, BytesThatAreNotUtf8DoNotBreakIt) {
  Report report = SampleComparison();
  report.model = "caf\xe9";
  report.rows[11].sites.front().outliers.front().text = "\xff\xc4";
  report.provenance.spec_json = "not json";
  const json parsed = json::parse(ReportJson(report));
  EXPECT_EQ(parsed["model"], "caf\xef\xbf\xbd");
  EXPECT_TRUE(parsed["provenance"]["spec"].is_null());
}

TEST(ArtifactTest, ManifestNamesEveryFileByDigest) {
  const auto files = AssembleArtifact(SamplePack(2), SampleReport());
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_EQ(files->size(), 5u);
  EXPECT_EQ(files->back().file_name, "manifest.json");
  const json manifest = json::parse(files->back().content);
  EXPECT_EQ(manifest["format_version"], 2);
  EXPECT_EQ(manifest["rejected"], false);
  ASSERT_EQ(manifest["files"].size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const json& entry = manifest["files"][i];
    EXPECT_EQ(entry["file_name"], (*files)[i].file_name);
    EXPECT_EQ(entry["sha256"], Sha256Hex((*files)[i].content));
    EXPECT_EQ(entry["size_bytes"], (*files)[i].content.size());
    EXPECT_EQ(entry["reproducible"], (*files)[i].file_name == "scales.safetensors");
  }
  EXPECT_EQ(manifest["provenance"]["kernel_path"], "avx512_vnni");
  EXPECT_EQ(manifest["provenance"]["inputs"][0]["role"], "model");
}

TEST(ArtifactTest, ARejectedOneSaysSoEverywhere) {
  Report report = SampleReport();
  report.gates = {{"max-ppl", "", 17.2, 18, true, "max-ppl is 17.200, bound 18.000"},
                  {"max-kl", "", std::nullopt, 0.05, false, "max-kl could not be evaluated"}};
  const auto files = AssembleArtifact(SamplePack(2), report).value();
  const json written = json::parse(files[1].content);
  EXPECT_EQ(written["rejected"], true);
  ASSERT_EQ(written["gates"].size(), 2u);
  EXPECT_EQ(written["gates"][0]["value"], 17.2);
  EXPECT_EQ(written["gates"][0]["passed"], true);
  EXPECT_TRUE(written["gates"][1]["value"].is_null());
  for (size_t page : {2u, 3u}) {
    EXPECT_THAT(files[page].content, HasSubstr("Rejected by its quality gates"));
    EXPECT_THAT(files[page].content, HasSubstr("max-kl could not be evaluated"));
  }
  EXPECT_EQ(json::parse(files[4].content)["rejected"], true);

  report.gates.pop_back();
  const auto passed = AssembleArtifact(SamplePack(2), report).value();
  EXPECT_EQ(json::parse(passed[1].content)["rejected"], false);
  EXPECT_THAT(passed[3].content, HasSubstr("Quality gates: passed"));
  EXPECT_THAT(ReportMarkdown(SampleReport()), testing::Not(HasSubstr("ates: ")));
}

TEST(ArtifactTest, AComparisonHasNoPack) {
  const auto files = AssembleArtifact(std::nullopt, SampleComparison());
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> names;
  for (const NamedFile& file : *files) names.push_back(file.file_name);
  EXPECT_THAT(names,
              testing::ElementsAre("report.json", "report.html", "report.md", "manifest.json"));
  EXPECT_EQ(json::parse(files->back().content)["files"].size(), 3u);
}

TEST(ArtifactTest, MeasuredFiguresStayOutOfPackAndManifestText) {
  Report slower = SampleReport();
  slower.cost.wall_seconds *= 2;
  for (ComparisonRow& row : slower.rows) row.evaluation_seconds += 1;
  const auto one = AssembleArtifact(SamplePack(2), SampleReport()).value();
  const auto two = AssembleArtifact(SamplePack(2), slower).value();
  EXPECT_EQ(one.front().content, two.front().content);
  json first = json::parse(one.back().content);
  json second = json::parse(two.back().content);
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
