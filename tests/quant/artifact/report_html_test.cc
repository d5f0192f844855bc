#include "quant/artifact/report_html.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "quant/artifact/report_markdown.h"
#include "quant/artifact/report_markup.h"
#include "quant/artifact/report_plot.h"
#include "tests/quant/artifact/sample.h"

namespace sasq {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Everything that comes from outside, hostile.
Report HostileReport() {
  Report report = SampleReport();
  report.model = "<img src=x onerror='a'>";
  report.dataset = "\"quoted\" & <b>bold</b>";
  report.recipe = "\"><script>x</script>`";
  report.provenance.inputs[0].uri = "file:/<script>";
  report.provenance.device_name = "<script>";
  for (ComparisonRow& row : report.rows) {
    for (TextResult& text : row.other_texts) text.name = "<script>|" + text.name;
    for (TaskAccuracy& task : row.tasks) task.name = "**<script>`|" + task.name;
    for (SiteReport& site : row.sites) site.outliers[0].text = "</code><script>";
    row.notes = {"<script>note</script>"};
    if (row.name == "sasq") {
      row.name = report.recipe;
      row.description = "<script>what</script>";
    }
    if (!row.failure.empty()) row.failure = "<script>why</script>|`**";
  }
  return report;
}

TEST(ReportHtmlTest, TextFromOutsideIsEscaped) {
  const std::string html = ReportHtml(HostileReport());
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=&#39;a&#39;&gt;"));
  EXPECT_THAT(html, HasSubstr("&quot;quoted&quot; &amp; &lt;b&gt;bold&lt;/b&gt;"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)&lt;/script&gt;"));
}

TEST(ReportHtmlTest, ShowsEveryRowAndLoadsNothing) {
  const Report report = SampleComparison();
  const std::string html = ReportHtml(report);
  for (const ComparisonRow& row : report.rows) {
    EXPECT_THAT(html, HasSubstr("<code>" + row.name + "</code>"));
  }
  EXPECT_THAT(html, HasSubstr("beyond range"));
  EXPECT_THAT(html, HasSubstr("not measurable on this machine"));
  EXPECT_THAT(html, HasSubstr("If a serving engine such as vLLM runs the model, use</div>"
                              "<div class=\"value\"><code>sasq-serve</code>"));
  for (const char* loader :
       {"http-equiv=\"refresh\"", "<link", "<iframe", "src=", "url(", "@import", "<script"}) {
    EXPECT_THAT(html, Not(HasSubstr(loader)));
  }
  EXPECT_LT(html.size(), 1'500'000u);
}

TEST(ReportHtmlTest, EmptyAndDegenerateReportsRender) {
  EXPECT_THAT(ReportHtml(Report()), HasSubstr("</html>"));
  EXPECT_THAT(ReportMarkdown(Report()), HasSubstr("## Cost"));
  Report report = SampleReport();
  for (ComparisonRow& row : report.rows) {
    if (row.name == "sasq") {
      row.step_loss.assign(3, std::numeric_limits<double>::quiet_NaN());
      row.sites.resize(2);
      row.sites[0].scale = 0;
      row.sites[1].signal_to_noise_db = std::numeric_limits<double>::infinity();
      row.sites[1].octave_counts.clear();
    }
    if (row.name == "sasq-max") {
      row.step_loss = {2.5};
      row.sites.clear();
    }
    if (row.name == "quarot") {
      row.kl_by_position.assign(4, std::numeric_limits<double>::quiet_NaN());
      row.top1_by_position = {1};
    }
  }
  const std::string html = ReportHtml(report);
  for (const char* broken : {"nan\"", "inf\"", "nan,", "inf,", ",nan", ",inf", "nan%", "inf%"}) {
    EXPECT_THAT(html, Not(HasSubstr(broken)));
  }
}

TEST(ReportHtmlTest, EveryDrawingHasATitle) {
  const std::string html = ReportHtml(SampleComparison());
  size_t drawings = 0;
  for (size_t at = html.find("role=\"img\""); at != std::string::npos;
       at = html.find("role=\"img\"", at + 1)) {
    const size_t end = html.find('>', at);
    EXPECT_EQ(html.substr(end + 1, 7), "<title>");
    ++drawings;
  }
  EXPECT_GT(drawings, 40u);
}

TEST(ReportMarkdownTest, SaysWhatThePageSays) {
  const std::string markdown = ReportMarkdown(SampleComparison());
  EXPECT_THAT(
      markdown,
      AllOf(HasSubstr("**If a serving engine such as vLLM runs the model, use `sasq-serve`**"),
            HasSubstr("| **`sasq-max`** | 16."), HasSubstr("| Row | Perplexity |"),
            HasSubstr("## Before you believe it"), HasSubstr("Energy is not measurable"),
            HasSubstr("Few sites carry the gradient")));
}

TEST(ReportMarkdownTest, TextFromOutsideCannotBreakATable) {
  const std::string markdown = ReportMarkdown(HostileReport());
  EXPECT_THAT(markdown, HasSubstr("`<script>\\|c4`"));
  // Inside code Markdown reads no HTML; outside of it there is none.
  bool code = false;
  for (char c : markdown) {
    if (c == '`') code = !code;
    if (c == '\n') {
      EXPECT_FALSE(code);
      code = false;
    }
    EXPECT_FALSE(c == '<' && !code);
  }
}

TEST(MarkupTest, MarksBecomeElementsThatAreClosed) {
  EXPECT_EQ(MarkedHtml("**a** `<b>` & c"), "<strong>a</strong> <code>&lt;b&gt;</code> &amp; c");
  EXPECT_EQ(MarkedHtml("`a ** b`"), "<code>a ** b</code>");
  EXPECT_EQ(MarkedHtml("**open `code"), "<strong>open <code>code</code></strong>");
  EXPECT_EQ(MarkedMarkdown("a|b <c> `<d>`"), "a\\|b &lt;c&gt; `<d>`");
}

TEST(ReportPlotTest, ManyStepsAreCondensed) {
  std::vector<double> losses(100'000, 3.0);
  losses.back() = 2.0;
  EXPECT_LT(LossPlot(losses).size(), 40'000u);
}

TEST(ReportPlotTest, MagnitudesBeyondTheClipStandOut) {
  SiteReport site;
  site.precision = "static";
  site.scale = 1.0f / 127;  // clips at 1
  site.octave_counts.assign(26, 0);
  site.octave_counts[12] = 1000;  // 0.5 to 1
  site.octave_counts[20] = 3;     // 128 to 256
  const std::string plot = MagnitudePlot(site, 8);
  EXPECT_THAT(plot, AllOf(HasSubstr("clips at 1<"), HasSubstr("class=\"bin\""),
                          HasSubstr("class=\"bin over\"")));
  EXPECT_THAT(plot, HasSubstr("from 128: 3<"));
  EXPECT_EQ(MagnitudePlot(SiteReport(), 8), "");
}

TEST(ReportPlotTest, PositionsThatAreNotFiniteAreLeftOut) {
  EXPECT_EQ(PositionPlot({{"a", {NAN, 0}}}, "t", true), "");
  const std::string plot = PositionPlot({{"a", {0.1, NAN, 0.01}}, {"b", {0.5}}}, "t", true);
  EXPECT_THAT(plot, AllOf(HasSubstr("line s0"), HasSubstr("line s1"), Not(HasSubstr("nan"))));
}

}  // namespace
}  // namespace sasq
