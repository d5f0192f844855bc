#include "client/gate_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/spec_flags.h"

namespace sasq {
namespace {

using ::testing::HasSubstr;

TEST(ParseGateTest, NamesTextsAndPercent) {
  const std::tuple<const char*, const char*, double> cases[] = {
      {"max-ppl-increase=0.1%", "max-ppl-increase", 0.001},
      {"max-ppl-increase=0.001", "max-ppl-increase", 0.001},
      {"max-ppl-increase=-1%", "max-ppl-increase", -0.01},
      {"max-ppl-increase-over-dynamic@code=0", "max-ppl-increase-over-dynamic@code", 0},
      {"max-ppl=18.5", "max-ppl", 18.5},
      {"max-ppl@code=9", "max-ppl@code", 9},
      {"min-top1-agreement=95%", "min-top1-agreement", 0.95},
      {"max-kl=0.05", "max-kl", 0.05},
      {"min-task-accuracy@facts=70%", "min-task-accuracy@facts", 0.7},
  };
  for (const auto& [text, name, bound] : cases) {
    const auto gate = ParseGate(text);
    ASSERT_TRUE(gate.ok()) << gate.status();
    EXPECT_EQ(GateName(*gate), name);
    EXPECT_DOUBLE_EQ(gate->bound, bound) << text;
  }
}

TEST(ParseGateTest, MistakesAreTold) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "is \"\", want NAME=BOUND, NAME one of max-ppl-increase, "},
      {"max-pl=18", "did you mean max-ppl?"},
      {"max-ppl", "is \"max-ppl\", want max-ppl=BOUND"},
      {"max-ppl=18%", "is \"max-ppl=18%\", want max-ppl=BOUND, BOUND a number"},
      {"max-ppl=nan", "want max-ppl=BOUND"},
      {"max-ppl-increase=x%", "BOUND a number such as 0.001 or 0.1%"},
      {"max-kl@code=1", "agreement is measured on the evaluation text alone"},
      {"max-ppl@=9", "want max-ppl@TEXT=BOUND"},
      {"min-task-accuracy=0.5", "want min-task-accuracy@TASK=BOUND, TASK a task's name"},
  };
  for (const auto& [text, message] : cases) {
    const auto gate = ParseGate(text);
    EXPECT_EQ(gate.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(gate.status().message()), HasSubstr(message));
  }
}

TEST(SetGatesTest, LaysThemOverThoseOfTheSpec) {
  v1::JobSpec spec;
  spec.mutable_gates()->set_max_perplexity(30);
  spec.mutable_gates()->set_max_kl_divergence(0.1);
  v1::TextGates* code = spec.mutable_gates()->add_other_texts();
  code->set_name("code");
  code->set_max_perplexity(9);
  std::vector<FieldViolation> problems;
  SetGates({"max-ppl=18", "max-ppl-increase@code=1%", "max-ppl@prose=7"}, spec, problems);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(spec.gates().max_perplexity(), 18);
  EXPECT_EQ(spec.gates().max_kl_divergence(), 0.1);
  ASSERT_EQ(spec.gates().other_texts_size(), 2);
  EXPECT_EQ(spec.gates().other_texts(0).max_perplexity(), 9);
  EXPECT_EQ(spec.gates().other_texts(0).max_perplexity_increase(), 0.01);
  EXPECT_EQ(spec.gates().other_texts(1).name(), "prose");
}

TEST(SetGatesTest, CollectsProblems) {
  v1::JobSpec spec;
  std::vector<FieldViolation> problems;
  SetGates({"max-ppl=18", "max-ppl=19", "min-ppl=1"}, spec, problems);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(problems[0].field, "--gate");
  EXPECT_EQ(problems[0].description, "gives max-ppl twice");
}

TEST(NameFlagsTest, AGatesFieldNamesItsFlag) {
  const absl::Status status = NameFlags(FieldViolationsStatus(
      {{"spec.gates.max_perplexity", "is 0.5, want 1..1e+09"}}, "INVALID_SPEC"));
  EXPECT_EQ(FieldViolationsOf(status)[0].description, "is 0.5, want 1..1e+09 (--gate max-ppl)");
}

}  // namespace
}  // namespace sasq
