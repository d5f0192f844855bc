#include "quant/gates/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sasq {
namespace {

using ::testing::HasSubstr;

v1::Recipe RecipeOf(const std::string& name, v1::Method method,
                    v1::FirstToken first_token = v1::FIRST_TOKEN_QUANTIZED, int bits = 8) {
  v1::Recipe recipe;
  recipe.set_name(name);
  recipe.set_method(method);
  recipe.set_first_token(first_token);
  recipe.set_activation_bits(bits);
  recipe.set_weight_bits(8);
  return recipe;
}

// A job with a row for each recipe: perplexity, and the same plus 1 on the other text `code`.
class GatesTest : public ::testing::Test {
 protected:
  GatesTest() {
    *spec_.mutable_recipe() = RecipeOf("sasq", v1::METHOD_SASQ);
    AddRow("sasq", 24.554);
    AddBaseline(RecipeOf("fp-float", v1::METHOD_FP, v1::FIRST_TOKEN_FLOAT), 5);
    AddBaseline(RecipeOf("fp", v1::METHOD_FP), 17.224);
    AddBaseline(RecipeOf("dynamic4", v1::METHOD_RTN_DYNAMIC, v1::FIRST_TOKEN_QUANTIZED, 4), 100);
    AddBaseline(RecipeOf("dynamic", v1::METHOD_RTN_DYNAMIC), 20);
    Row("sasq").set_top1_agreement(0.93);
    Row("sasq").set_kl_divergence(0.0712);
  }

  void AddRow(const std::string& name, double perplexity) {
    v1::ReportRow* row = rows_.Add();
    row->set_name(name);
    row->set_perplexity(perplexity);
    row->set_token_count(8188);
    v1::TextPerplexity* text = row->add_other_texts();
    text->set_name("code");
    text->set_perplexity(perplexity + 1);
    text->set_token_count(4094);
  }
  void AddBaseline(const v1::Recipe& recipe, double perplexity) {
    *spec_.add_baselines() = recipe;
    AddRow(recipe.name(), perplexity);
  }
  v1::ReportRow& Row(const std::string& name) {
    for (v1::ReportRow& row : rows_) {
      if (row.name() == name) return row;
    }
    ADD_FAILURE() << name;
    return *rows_.Add();
  }
  void Remove(const std::string& name) {
    for (int i = 0; i < rows_.size(); ++i) {
      if (rows_[i].name() == name) return rows_.DeleteSubrange(i, 1);
    }
    ADD_FAILURE() << name;
  }

  v1::GateResult Ask(const std::string& kind, double bound, const std::string& text = "",
                     const std::string& row = "sasq") const {
    Gate gate;
    gate.text = text;
    gate.bound = bound;
    for (const GateKind& known : GateKinds()) {
      if (kind == known.name) gate.kind = &known;
    }
    v1::QualityGates gates;
    SetGate(gate, &gates);
    const std::vector<v1::GateResult> results = EvaluateGates(spec_, gates, row, rows_);
    EXPECT_EQ(results.size(), 1u);
    return results.at(0);
  }

  v1::JobSpec spec_;
  google::protobuf::RepeatedPtrField<v1::ReportRow> rows_;
};

TEST_F(GatesTest, ComparesWithTheFloatRowOfTheSameFirstToken) {
  const v1::GateResult result = Ask("max-ppl-increase", 0.001);
  EXPECT_FALSE(result.passed());
  EXPECT_DOUBLE_EQ(result.value(), 24.554 / 17.224 - 1);
  EXPECT_EQ(DescribeGate(result),
            "max-ppl-increase is +42.56%, bound 0.10% (perplexity 24.554 against 17.224)");
  EXPECT_EQ(GateFailure({result}), "quality gate failed: " + DescribeGate(result));
  EXPECT_TRUE(Ask("max-ppl-increase", 0.43).passed());
}

TEST_F(GatesTest, ComparesWithTheDynamicRowOfTheSameBits) {
  const v1::GateResult result = Ask("max-ppl-increase-over-dynamic", 0.2);
  EXPECT_DOUBLE_EQ(result.value(), 24.554 / 20 - 1);
  EXPECT_FALSE(result.passed());
  spec_.mutable_recipe()->set_activation_bits(4);
  EXPECT_TRUE(Ask("max-ppl-increase-over-dynamic", 0.2).passed()) << "against 100";
  EXPECT_EQ(DynamicBaseline(spec_, spec_.recipe())->name(), "dynamic4");
}

TEST_F(GatesTest, CeilingsAndFloors) {
  EXPECT_EQ(DescribeGate(Ask("max-ppl", 18.5)), "max-ppl is 24.554, bound 18.500");
  EXPECT_FALSE(Ask("max-ppl", 18.5).passed());
  EXPECT_TRUE(Ask("max-ppl", 24.554).passed()) << "the bound itself is good";
  EXPECT_EQ(DescribeGate(Ask("min-top1-agreement", 0.95)),
            "min-top1-agreement is 93.00%, bound 95.00%");
  EXPECT_FALSE(Ask("min-top1-agreement", 0.95).passed());
  EXPECT_TRUE(Ask("min-top1-agreement", 0.93).passed());
  EXPECT_FALSE(Ask("max-kl", 0.05).passed());
  EXPECT_TRUE(Ask("max-kl", 0.08).passed());
}

TEST_F(GatesTest, OtherTextsHaveTheirOwn) {
  const v1::GateResult result = Ask("max-ppl-increase", 0.3, "code");
  EXPECT_EQ(DescribeGate(result),
            "max-ppl-increase@code is +40.22%, bound 30.00% (perplexity 25.554 against 18.224)");
  EXPECT_FALSE(Ask("max-ppl", 25, "code").passed());
  EXPECT_TRUE(Ask("max-ppl-increase-over-dynamic", 0.22, "code").passed());
  EXPECT_THAT(Ask("max-ppl", 25, "prose").detail(), HasSubstr("not measured"));
}

TEST_F(GatesTest, DigitsTellValueAndBoundApart) {
  Row("sasq").set_perplexity(17.224 * 1.00100002);
  EXPECT_THAT(DescribeGate(Ask("max-ppl-increase", 0.001)),
              HasSubstr("is +0.100002%, bound 0.100000%"));
  Row("sasq").set_perplexity(17);
  EXPECT_THAT(DescribeGate(Ask("max-ppl-increase", -0.02)), HasSubstr("is -1.30%, bound -2.00%"));
}

TEST_F(GatesTest, WhatCannotBeEvaluatedFails) {
  const auto expect_failure = [&](const std::string& gate, const std::string& detail,
                                  const std::string& row = "sasq") {
    const v1::GateResult result = Ask(gate, 1, "", row);
    EXPECT_FALSE(result.passed()) << gate;
    EXPECT_FALSE(result.has_value()) << gate;
    EXPECT_THAT(result.detail(), HasSubstr(detail));
    EXPECT_THAT(DescribeGate(result), HasSubstr(" could not be evaluated, bound "));
    EXPECT_NE(GateFailure({result}), "");
  };
  expect_failure("max-ppl", "there is no one row called nothing", "nothing");
  Row("sasq").clear_kl_divergence();
  Row("sasq").clear_top1_agreement();
  expect_failure("max-kl", "agreement was not measured");
  expect_failure("min-top1-agreement", "agreement was not measured");
  Row("fp").set_token_count(8184);
  expect_failure("max-ppl-increase", "scored on 8188 tokens, fp on 8184");
  Remove("fp");
  expect_failure("max-ppl-increase", "no measured float row");
  Row("dynamic").set_perplexity(0);
  expect_failure("max-ppl-increase-over-dynamic", "no measured rtn_dynamic row");
  for (const double collapsed :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    Row("sasq").set_perplexity(collapsed);
    expect_failure("max-ppl", "");
  }
  Row("sasq").set_perplexity(0);
  expect_failure("max-ppl", "its perplexity was not measured");
  AddRow("sasq", 2);
  expect_failure("max-ppl", "there is no one row called sasq");
}

TEST_F(GatesTest, ARowOfAComparisonCanBeAsked) {
  *spec_.add_baselines() = spec_.recipe();
  spec_.clear_recipe();
  spec_.set_kind(v1::JOB_KIND_COMPARE);
  EXPECT_DOUBLE_EQ(Ask("max-ppl-increase", 1, "", "dynamic").value(), 20 / 17.224 - 1);
  EXPECT_EQ(Ask("max-ppl-increase", 0, "", "fp").value(), 0);
}

TEST_F(GatesTest, TasksHaveFloors) {
  v1::TaskScore& score = *Row("sasq").add_tasks();
  score.set_name("facts");
  score.set_question_count(20);
  score.set_accuracy(0.65);
  EXPECT_TRUE(Ask("min-task-accuracy", 0.65, "facts").passed());
  const v1::GateResult failed = Ask("min-task-accuracy", 0.7, "facts");
  EXPECT_FALSE(failed.passed());
  EXPECT_EQ(DescribeGate(failed), "min-task-accuracy@facts is 65.00%, bound 70.00% (20 questions)");
  const v1::GateResult missing = Ask("min-task-accuracy", 0, "sums");
  EXPECT_FALSE(missing.passed() || missing.has_value());
  EXPECT_THAT(DescribeGate(missing), HasSubstr("the task sums was not measured"));
}

TEST_F(GatesTest, GatesComeBackInOrder) {
  v1::QualityGates gates;
  gates.set_max_kl_divergence(0.05);
  gates.set_max_perplexity_increase(0);
  for (const GateKind& kind : GateKinds()) {
    if (kind.is_of_texts()) SetGate({&kind, "code", 2}, &gates);
    if (kind.is_of_tasks()) SetGate({&kind, "facts", 1}, &gates);
  }
  ASSERT_EQ(gates.other_texts_size(), 1);
  std::vector<std::string> names;
  for (const Gate& gate : GatesOf(gates)) names.push_back(GateName(gate));
  EXPECT_THAT(names, testing::ElementsAre("max-ppl-increase", "max-kl", "max-ppl-increase@code",
                                          "max-ppl-increase-over-dynamic@code", "max-ppl@code",
                                          "min-task-accuracy@facts"));
  EXPECT_TRUE(NeedsAgreement(gates));
  EXPECT_TRUE(NeedsDynamicRow(gates));
  EXPECT_EQ(EvaluateGates(spec_, gates, "sasq", rows_).size(), 6u);
  EXPECT_EQ(GateFailure(EvaluateGates(spec_, {}, "sasq", rows_)), "");
}

TEST(DescribeGateTest, AGateOfANewerServiceIsShownAsItIs) {
  v1::GateResult result;
  result.set_gate("max-joules");
  result.set_value(5);
  result.set_bound(4);
  EXPECT_EQ(DescribeGate(result), "max-joules is 5.000, bound 4.000");
}

}  // namespace
}  // namespace sasq
