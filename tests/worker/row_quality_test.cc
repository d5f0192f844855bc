#include "worker/row_quality.h"

#include <gtest/gtest.h>

#include "quant/format/site_rule.h"

namespace sasq {
namespace {

TEST(DatasetLabelTest, KnowsAFixedListByWords) {
  EXPECT_EQ(DatasetLabel("file:/data/wiki.test.raw"), "wikitext");
  EXPECT_EQ(DatasetLabel("hf:datasets/Salesforce/wikitext@main/wikitext-2-raw-v1/test.txt"),
            "wikitext");
  EXPECT_EQ(DatasetLabel("s3://texts/C4/part-0.jsonl"), "c4");
  EXPECT_EQ(DatasetLabel("file:/srv/compile/eval.txt"), "other");
  EXPECT_EQ(DatasetLabel(""), "other");
}

void AddSite(SitePrecision precision, double clipped_share, worker::v1::MeasuredRow& row) {
  worker::v1::MeasuredSite& site = *row.add_sites();
  site.set_precision(static_cast<int32_t>(precision));
  site.set_clipped_share(clipped_share);
  site.add_octave_counts(1);
}

TEST(RowQualityTest, ComparesWithTheFloatRowOnTheSameTokens) {
  v1::JobSpec spec;
  spec.mutable_evaluation_text()->set_uri("file:/data/wiki.test.raw");
  spec.mutable_recipe()->set_name("sasq");
  v1::Recipe& baseline = *spec.add_baselines();
  baseline.set_name("fp");
  baseline.set_method(v1::METHOD_FP);

  google::protobuf::RepeatedPtrField<worker::v1::MeasuredRow> rows;
  v1::ReportRow& own = *rows.Add()->mutable_row();
  own.set_name("sasq");
  own.set_method(v1::METHOD_SASQ);
  own.set_perplexity(20);
  own.set_token_count(100);
  AddSite(SitePrecision::kStatic, 0.1, rows[0]);
  AddSite(SitePrecision::kStatic, 0.3, rows[0]);
  AddSite(SitePrecision::kFloat, 0.9, rows[0]);
  RowQuality quality = QualityOf(rows[0], rows, spec, Architecture::kQwen2);
  EXPECT_EQ(quality.model_family, "qwen2");
  EXPECT_EQ(quality.dataset, "wikitext");
  EXPECT_EQ(quality.method, v1::METHOD_SASQ);
  EXPECT_EQ(quality.perplexity_ratio, std::nullopt) << "float was not measured";
  EXPECT_DOUBLE_EQ(quality.clipped_share.value(), 0.2) << "of the static sites";

  v1::ReportRow& reference = *rows.Add()->mutable_row();
  reference.set_name("fp");
  reference.set_method(v1::METHOD_FP);
  reference.set_perplexity(16);
  reference.set_token_count(100);
  EXPECT_DOUBLE_EQ(QualityOf(rows[0], rows, spec, Architecture::kLlama).perplexity_ratio.value(),
                   1.25);
  quality = QualityOf(rows[1], rows, spec, Architecture::kLlama);
  EXPECT_EQ(quality.clipped_share, std::nullopt) << "nothing is static";
}

}  // namespace
}  // namespace sasq
