#include "client/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace sasq {
namespace {

v1::ReportRow* AddRow(v1::Job* job, const std::string& name, v1::Method method,
                      v1::FirstToken first_token, double perplexity,
                      double preparation_seconds = 0) {
  v1::ReportRow* row = job->add_rows();
  row->set_name(name);
  row->set_method(method);
  row->set_first_token(first_token);
  row->set_perplexity(perplexity);
  row->set_window_count(4);
  row->set_token_count(first_token == v1::FIRST_TOKEN_QUANTIZED ? 8188 : 8184);
  row->set_evaluation_seconds(24.6);
  row->set_preparation_seconds(preparation_seconds);
  return row;
}

v1::Job ExampleJob() {
  v1::Job job;
  job.mutable_spec()->mutable_recipe()->set_name("mine");
  AddRow(&job, "fp", v1::METHOD_FP, v1::FIRST_TOKEN_QUANTIZED, 17.224);
  AddRow(&job, "fp-float", v1::METHOD_FP, v1::FIRST_TOKEN_FLOAT, 17.096);
  AddRow(&job, "static_absmax", v1::METHOD_STATIC_ABSMAX, v1::FIRST_TOKEN_QUANTIZED,
         std::numeric_limits<double>::infinity(), 15.2);
  AddRow(&job, "mine", v1::METHOD_SASQ, v1::FIRST_TOKEN_FLOAT, 18.18, 190.8);
  return job;
}

TEST(ComparisonTest, RatiosAreToTheFloatRowOnTheSameTokens) {
  const v1::Job job = ExampleJob();
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(3)), 18.18 / 17.096);
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(0)), 1.0);
  v1::Job without;
  AddRow(&without, "sasq", v1::METHOD_SASQ, v1::FIRST_TOKEN_PREFIX, 18.18);
  AddRow(&without, "fp", v1::METHOD_FP, v1::FIRST_TOKEN_QUANTIZED, 17.2);
  EXPECT_EQ(RatioToFloat(without, without.rows(0)), 0);
}

TEST(ComparisonTest, RowsScoredOnTheSameTokensStandTogether) {
  EXPECT_EQ(ComparisonTable(ExampleJob()).Render(TextStyle(), 80),
            "row            perplexity  ratio to fp  tokens   time\n"
            "-----------------------------------------------------\n"
            "fp                 17.224        1.000    8188    25s\n"
            "static_absmax         inf          inf    8188    40s\n"
            "-----------------------------------------------------\n"
            "fp-float           17.096        1.000    8184    25s\n"
            "mine               18.180        1.063    8184  3m35s\n");
}

// What only some rows have gets a column, and "-" where it is missing.
TEST(ComparisonTest, ColumnsThatNoRowFillsAreLeftOut) {
  v1::Job job = ExampleJob();
  job.mutable_rows()->DeleteSubrange(1, 3);
  job.mutable_spec()->mutable_evaluation()->add_other_texts()->set_name("code");
  v1::ReportRow* row = job.mutable_rows(0);
  row->set_perplexity_low(16.5);
  row->set_perplexity_high(18);
  row->add_other_texts()->set_perplexity(9.25);
  row->set_decode_perplexity(17.5);
  row->set_kl_divergence(0);
  row->set_top1_agreement(1);
  AddRow(&job, "sasq-serve", v1::METHOD_SASQ, v1::FIRST_TOKEN_QUANTIZED, 18)
      ->set_float_flop_share(0.031);
  job.mutable_rows(1)->set_dynamic_flop_share(0.1);
  EXPECT_EQ(
      ComparisonTable(job).Render(TextStyle(), 200),
      "row         perplexity  ratio to fp    95% interval   code  decode      KL   top-1  "
      "in float  dynamic  tokens  time\n" +
          std::string(115, '-') +
          "\n"
          "fp              17.224        1.000  16.500..18.000  9.250  17.500  0.0000  100.0%  "
          "       -        -    8188   25s\n"
          "sasq-serve      18.000        1.045               -      -       -       -       -  "
          "    3.1%    10.0%    8188   25s\n");
}

TEST(ComparisonTest, OneLineForOneRow) {
  const v1::Job job = ExampleJob();
  EXPECT_EQ(DescribeRow(job, job.rows(0)), "fp: perplexity 17.224, 25s");
  EXPECT_EQ(DescribeRow(job, job.rows(3)), "mine: perplexity 18.180, 1.063 x fp, 3m35s");
}

TEST(ComparisonTest, RowsThatFailedSayWhy) {
  v1::Job job = ExampleJob();
  AddRow(&job, "quarot", v1::METHOD_QUAROT, v1::FIRST_TOKEN_QUANTIZED, 0)
      ->set_failure("no Hadamard\x1b[2J matrix of 86");
  job.mutable_rows(3)->set_failure("diverged at step 7");
  EXPECT_EQ(DescribeRow(job, job.rows(4)), "quarot: no Hadamard\uFFFD[2J matrix of 86");
  EXPECT_EQ(DescribeRow(job, job.rows(3)),
            "mine: perplexity 18.180, 1.063 x fp, 3m35s; diverged at step 7");
  EXPECT_EQ(FailureLines(job),
            "mine: diverged at step 7\nquarot: no Hadamard\uFFFD[2J matrix of 86\n");
  EXPECT_EQ(FailureLines(ExampleJob()), "");
  EXPECT_THAT(ComparisonTable(job).Render(TextStyle(), 80),
              testing::ContainsRegex("quarot +failed +- "));
}

TEST(ComparisonTest, AnUnsetFirstTokenIsQuantized) {
  v1::Job job;
  job.mutable_spec()->mutable_recipe()->set_name("sasq");
  AddRow(&job, "fp", v1::METHOD_FP, v1::FIRST_TOKEN_UNSPECIFIED, 10);
  AddRow(&job, "sasq", v1::METHOD_SASQ, v1::FIRST_TOKEN_QUANTIZED, 11);
  EXPECT_DOUBLE_EQ(RatioToFloat(job, job.rows(1)), 1.1);
  EXPECT_TRUE(IsRecipeRow(job, job.rows(1)));
  EXPECT_FALSE(IsRecipeRow(job, job.rows(0)));
  job.mutable_spec()->clear_recipe();
  job.mutable_rows(1)->clear_name();
  EXPECT_FALSE(IsRecipeRow(job, job.rows(1))) << "a comparison has no row of its own";
}

}  // namespace
}  // namespace sasq
