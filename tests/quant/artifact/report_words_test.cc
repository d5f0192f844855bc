#include "quant/artifact/report_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "absl/strings/str_join.h"
#include "quant/artifact/report_format.h"
#include "tests/quant/artifact/sample.h"

namespace sasq {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Joined(const std::vector<std::string>& sentences) {
  return absl::StrJoin(sentences, "\n");
}

ComparisonRow Row(std::string name, std::string method, double ratio, std::string activations,
                  bool servable, double noise = 0.004) {
  ComparisonRow row = SampleRow(std::move(name), std::move(method), "quantized", ratio, noise);
  row.activations = std::move(activations);
  row.servable = servable;
  return row;
}

Report ReportOf(std::vector<ComparisonRow> rows) {
  Report report;
  report.kind = "compare";
  report.rows = {Row("fp", "fp", 1, "float", false, 0)};
  for (ComparisonRow& row : rows) report.rows.push_back(std::move(row));
  return report;
}

TEST(AdviceTest, StaticThatIsBetterThanDynamicIsRecommended) {
  const Report report = ReportOf({Row("rtn_dynamic", "rtn_dynamic", 1.03, "dynamic", true),
                                  Row("sasq-serve", "sasq", 1.01, "static", true),
                                  Row("quarot", "quarot", 1.001, "dynamic", false)});
  const ReportAnalysis analysis = Analyze(report);
  const Advice serving = ServingAdvice(analysis);
  ASSERT_NE(serving.row, nullptr);
  EXPECT_EQ(serving.row->row->name, "sasq-serve");
  EXPECT_THAT(Joined(serving.sentences),
              AllOf(HasSubstr("against the float model's"), HasSubstr("significant, p < 0.001"),
                    HasSubstr("(`rtn_dynamic`) are at +3.0"), HasSubstr("% better (significant"),
                    HasSubstr("On other texts, against float: `c4` +1."),
                    HasSubstr("It needs no work for scales at run time")));
  const Advice runtime = RuntimeAdvice(analysis);
  ASSERT_NE(runtime.row, nullptr);
  EXPECT_EQ(runtime.row->row->name, "quarot");
  EXPECT_THAT(Joined(runtime.sentences), HasSubstr("It computes a scale for every token"));
}

TEST(AdviceTest, TellsOfSitesWithAScaleForEveryToken) {
  ComparisonRow serve = Row("sasq-serve", "sasq", 1.01, "static", true);
  serve.dynamic_flop_share = 0.1;
  serve.float_flop_share = 0.05;
  const Report report = ReportOf({serve});
  EXPECT_THAT(Joined(ServingAdvice(Analyze(report)).sentences),
              HasSubstr("It computes a scale for every token in 10.0% of the linears' arithmetic; "
                        "5.00% of the linears' arithmetic stays float"));
}

TEST(AdviceTest, StaticWinsATieAndSaysSo) {
  const Report report = ReportOf({Row("rtn_dynamic", "rtn_dynamic", 1.020, "dynamic", true, 0),
                                  Row("sasq", "sasq", 1.022, "static", true, 0)});
  const ReportAnalysis analysis = Analyze(report);
  const Advice advice = ServingAdvice(analysis);
  ASSERT_NE(advice.row, nullptr);
  EXPECT_EQ(advice.row->row->name, "sasq");
  EXPECT_THAT(Joined(advice.sentences), HasSubstr("`rtn_dynamic` is better by less than 0.5%"));
  EXPECT_THAT(Joined(RuntimeAdvice(analysis).sentences), HasSubstr("The same row"));
}

TEST(AdviceTest, ADifferenceWithinNoiseIsNotSignificant) {
  const Report report = ReportOf({Row("sasq", "sasq", 1.0001, "static", true, 0.05)});
  EXPECT_THAT(Joined(ServingAdvice(Analyze(report)).sentences),
              HasSubstr("not significant, p = 0."));
}

TEST(AdviceTest, FewWindowsCannotTell) {
  Report report = ReportOf({Row("sasq", "sasq", 1.2, "static", true)});
  for (ComparisonRow& row : report.rows) row.text.window_mean_loss.resize(4);
  const ReportAnalysis analysis = Analyze(report);
  EXPECT_THAT(Joined(ServingAdvice(analysis).sentences),
              HasSubstr("not significant: 4 windows are too few to tell"));
  EXPECT_THAT(Joined(WarningWords(analysis)), HasSubstr("The evaluation has 4 windows"));
}

TEST(AdviceTest, NothingServableIsSaid) {
  const Report none = ReportOf({Row("sasq-max", "sasq", 1.0, "static", false)});
  const Advice advice = ServingAdvice(Analyze(none));
  EXPECT_EQ(advice.row, nullptr);
  EXPECT_THAT(Joined(advice.sentences), HasSubstr("No row of this report can be expressed"));

  const Report collapsed = ReportOf({Row("static_absmax", "static_absmax", 4, "static", true)});
  const ReportAnalysis analysis = Analyze(collapsed);
  EXPECT_EQ(ServingAdvice(analysis).row, nullptr);
  EXPECT_THAT(Joined(ServingAdvice(analysis).sentences), HasSubstr("more than twice"));
  EXPECT_EQ(RuntimeAdvice(analysis).row, nullptr);
}

TEST(AdviceTest, ADivergedRowIsNeverRecommended) {
  ComparisonRow diverged = Row("sasq", "sasq", 1.001, "static", true);
  diverged.failure = "training diverged at step 9";
  const Report report =
      ReportOf({diverged, Row("rtn_dynamic", "rtn_dynamic", 1.03, "dynamic", true)});
  const ReportAnalysis analysis = Analyze(report);
  ASSERT_NE(analysis.best, nullptr);
  EXPECT_EQ(analysis.best->row->name, "rtn_dynamic");
  EXPECT_THAT(Joined(WarningWords(analysis)),
              HasSubstr("`sasq` is not what was asked for: `training diverged at step 9`"));
}

TEST(AdviceTest, OtherTextsCount) {
  ComparisonRow adapted = SampleRow("adapted", "sasq", "quantized", 1.005, 0.001, 20);
  adapted.servable = true;
  const Report report = ReportOf({adapted, Row("steady", "sasq", 1.01, "static", true, 0.001)});
  EXPECT_EQ(Analyze(report).best->row->name, "steady");
}

TEST(AdviceTest, AnArtifactThatIsNotTheBestSaysWhichIs) {
  const Report report = SampleReport();
  const auto advice = ArtifactAdvice(Analyze(report));
  ASSERT_TRUE(advice.has_value());
  EXPECT_THAT(Joined(advice->sentences),
              AllOf(HasSubstr("`sasq-serve` ranks higher here"), Not(HasSubstr("less than 0.5%"))));
  const Report comparison = SampleComparison();
  EXPECT_FALSE(ArtifactAdvice(Analyze(comparison)).has_value());
}

TEST(WarningTest, CollapsedRowsAreNamed) {
  ComparisonRow infinite = Row("static_absmax", "static_absmax", 1, "static", true);
  infinite.text.perplexity = std::numeric_limits<double>::infinity();
  const Report report =
      ReportOf({infinite, Row("static_percentile", "static_percentile", 4, "static", true)});
  EXPECT_THAT(
      Joined(WarningWords(Analyze(report))),
      AllOf(HasSubstr("`static_absmax` (beyond range)"), HasSubstr("`static_percentile` (+")));
}

TEST(WarningTest, AGainOnItsOwnTextOnlyIsAdaptation) {
  ComparisonRow clipped = SampleRow("fp_clipped", "fp_clipped", "quantized", 0.98, 0.001, -0.5);
  clipped.activations = "float";
  const Report report = ReportOf({clipped});
  EXPECT_THAT(Joined(WarningWords(Analyze(report))),
              AllOf(HasSubstr("better than float on the evaluation text and +1.0"),
                    HasSubstr("adaptation to the text")));
  // The same gain everywhere is none.
  const Report everywhere = ReportOf({Row("fp_clipped", "fp_clipped", 0.98, "float", false)});
  EXPECT_THAT(WarningWords(Analyze(everywhere)), IsEmpty());
}

TEST(AblationTest, RoundingIsToldFromClipping) {
  const Report report = SampleComparison();
  const ReportAnalysis analysis = Analyze(report);
  EXPECT_THAT(Joined(AblationWords(analysis, "quantized")),
              AllOf(HasSubstr("**Clipping alone** (`fp_clipped`"), HasSubstr("gains 1.9"),
                    HasSubstr("so rounding decides the result"),
                    HasSubstr("**Rounding without clipping**")));
  EXPECT_THAT(AblationWords(analysis, "float"), IsEmpty());
}

const RowAnalysis& Named(const ReportAnalysis& analysis, const std::string& name) {
  for (const RowAnalysis& row : analysis.rows) {
    if (row.row->name == name) return row;
  }
  ADD_FAILURE() << "no row " << name;
  return analysis.rows.front();
}

TEST(TrainingWordsTest, SaysWhyItIsNotEnough) {
  const Report report = SampleComparison();
  const ReportAnalysis analysis = Analyze(report);
  EXPECT_THAT(
      Joined(TrainingWords(analysis, Named(analysis, "sasq"))),
      AllOf(HasSubstr("helps here and is not enough alone"), HasSubstr("first token's massive"),
            HasSubstr("(`static_mse`"), HasSubstr("Few sites carry the gradient"),
            HasSubstr("`layers.0.down_in`, `layers.11.down_in`, `layers.22.down_in`"),
            HasSubstr("3 of 120 scales moved by more than a factor of two, all of them down"),
            HasSubstr("The first token alone carries them")));
}

TEST(TrainingWordsTest, SharesTheMeritWithTheRestOfARecipe) {
  const Report report = SampleComparison();
  const ReportAnalysis analysis = Analyze(report);
  EXPECT_THAT(Joined(TrainingWords(analysis, Named(analysis, "sasq-serve"))),
              AllOf(HasSubstr("with the rest of this recipe"), HasSubstr("not by training alone"),
                    HasSubstr("(float here)"), Not(HasSubstr("Scale-only training"))));
}

TEST(TrainingWordsTest, WorksWhereNothingSignificantIsLeft) {
  ComparisonRow row = Row("sasq", "sasq", 1, "static", true, 0.02);
  TrainSampleRow(2, 10, row);
  const Report report = ReportOf({row, Row("static_mse", "static_mse", 1.3, "static", true)});
  const ReportAnalysis analysis = Analyze(report);
  EXPECT_THAT(Joined(TrainingWords(analysis, analysis.rows[1])),
              HasSubstr("**Scale-only training works here:** no significant loss"));
  EXPECT_THAT(TrainingWords(analysis, analysis.rows[2]), IsEmpty());
}

TEST(CostWordsTest, ComparesATokenOfTraining) {
  Report report = SampleComparison();
  EXPECT_THAT(Joined(CostWords(Analyze(report))),
              AllOf(HasSubstr("**0.52 times** the processor time"),
                    HasSubstr("**0.67 times** the arithmetic"), HasSubstr("480 B instead of")));
  std::erase_if(report.rows, [](const ComparisonRow& row) { return row.method == "llm_qat"; });
  EXPECT_THAT(CostWords(Analyze(report)), IsEmpty());
}

TEST(FormatTest, FiguresAsPeopleReadThem) {
  EXPECT_EQ(FormatIncrease(0.0312), "+3.12%");
  EXPECT_EQ(FormatIncrease(-0.197), "\u221219.7%");
  EXPECT_EQ(FormatIncrease(0.00001), "0.00%");
  EXPECT_EQ(FormatIncrease(11), "12 times");
  EXPECT_EQ(FormatCount(1234567), "1\u202f234\u202f567");
  EXPECT_EQ(FormatBytes(480), "480 B");
  EXPECT_EQ(FormatShare(0.00004), "0.004%");
  EXPECT_EQ(Counted(1, "window"), "1 window");
  EXPECT_EQ(Code("a`b\nc"), "`a b c`");
}

}  // namespace
}  // namespace sasq
