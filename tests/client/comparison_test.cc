#include "client/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace sasq {
namespace {

using ::testing::HasSubstr;

void AddRow(v1::Job* job, v1::Method method, v1::FirstToken first_token, double perplexity,
            double preparation_seconds = 0) {
  v1::ReportRow* row = job->add_rows();
  row->set_method(method);
  row->set_first_token(first_token);
  row->set_perplexity(perplexity);
  row->set_window_count(4);
  row->set_token_count(first_token == v1::FIRST_TOKEN_FLOAT ? 8184 : 8188);
  row->set_evaluation_seconds(24.6);
  row->set_preparation_seconds(preparation_seconds);
}

v1::Job ExampleJob() {
  v1::Job job;
  job.mutable_spec()->mutable_recipe()->set_method(v1::METHOD_SASQ);
  job.mutable_spec()->mutable_recipe()->set_first_token(v1::FIRST_TOKEN_FLOAT);
  AddRow(&job, v1::METHOD_FP, v1::FIRST_TOKEN_QUANTIZED, 17.224);
  AddRow(&job, v1::METHOD_FP, v1::FIRST_TOKEN_FLOAT, 17.096);
  AddRow(&job, v1::METHOD_STATIC_ABSMAX, v1::FIRST_TOKEN_QUANTIZED,
         std::numeric_limits<double>::infinity(), 15.2);
  AddRow(&job, v1::METHOD_SASQ, v1::FIRST_TOKEN_FLOAT, 18.18, 190.8);
  return job;
}

TEST(ComparisonTest, RatiosAreToTheFloatRowOnTheSameTokens) {
  const v1::Job job = ExampleJob();
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(3)), 18.18 / 17.096);
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(0)), 1.0);
  v1::Job without;
  AddRow(&without, v1::METHOD_SASQ, v1::FIRST_TOKEN_FLOAT, 18.18);
  AddRow(&without, v1::METHOD_FP, v1::FIRST_TOKEN_QUANTIZED, 17.2);
  EXPECT_EQ(RatioToFloat(without, without.rows(0)), 0);
}

TEST(ComparisonTest, RowsScoredOnTheSameTokensStandTogether) {
  EXPECT_EQ(ComparisonTable(ExampleJob()).Render(TextStyle(), 80),
            "method         first token  perplexity  ratio to fp  windows  tokens   time\n"
            "---------------------------------------------------------------------------\n"
            "fp             scored           17.224        1.000        4    8188    25s\n"
            "static_absmax  quantized           inf          inf        4    8188    40s\n"
            "---------------------------------------------------------------------------\n"
            "fp             not scored       17.096        1.000        4    8184    25s\n"
            "sasq           float            18.180        1.063        4    8184  3m35s\n");
}

TEST(ComparisonTest, OneLineForOneRow) {
  const v1::Job job = ExampleJob();
  EXPECT_EQ(DescribeRow(job, job.rows(0)), "fp: perplexity 17.224, 25s");
  EXPECT_EQ(DescribeRow(job, job.rows(1)), "fp, first token not scored: perplexity 17.096, 25s");
  EXPECT_EQ(DescribeRow(job, job.rows(3)),
            "sasq, first token float: perplexity 18.180, 1.063 x fp, 3m35s");
}

TEST(ComparisonTest, AnUnsetFirstTokenIsQuantized) {
  v1::Job job;
  job.mutable_spec()->mutable_recipe()->set_method(v1::METHOD_SASQ);
  AddRow(&job, v1::METHOD_FP, v1::FIRST_TOKEN_UNSPECIFIED, 10);
  AddRow(&job, v1::METHOD_SASQ, v1::FIRST_TOKEN_QUANTIZED, 11);
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(1)), 1.1);
  EXPECT_TRUE(IsRecipeRow(job, job.rows(1)));
  EXPECT_FALSE(IsRecipeRow(job, job.rows(0)));
}

}  // namespace
}  // namespace sasq
