// spec_file, spec_fields and spec_flags: three ways to the same JobSpec.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "client/exit_code.h"
#include "client/proto_output.h"
#include "client/spec_fields.h"
#include "client/spec_file.h"
#include "client/spec_flags.h"
#include "common/rpc_status.h"
#include "google/protobuf/text_format.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

using ::google::protobuf::TextFormat;
using ::google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;

v1::JobSpec SpecOf(const std::string& text_format) {
  v1::JobSpec spec;
  EXPECT_TRUE(TextFormat::ParseFromString(text_format, &spec)) << text_format;
  return spec;
}

void ExpectSpec(const absl::StatusOr<v1::JobSpec>& spec, const std::string& text_format) {
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_TRUE(MessageDifferencer::Equals(*spec, SpecOf(text_format))) << spec->DebugString();
}

// Every field of a spec.
constexpr char kGoldenYaml[] = R"(# A job as people write it.
kind: quantize
display_name: "wiki, first token float"
model: {uri: /models/smollm2}
training_text: {uri: "file:/data/wiki.valid.tokens", layout: plain}
evaluation_text:
  uri: file:/data/wiki.test.raw
  layout: wikitext_rows
recipe:
  method: sasq
  first_token: FIRST_TOKEN_FLOAT
  training:
    step_count: 100
    window_tokens: 256
    learning_rate: 2e-2
    warmup_step_count: 0
    loss: kl_divergence
  name: mine
  scale_rule: percentile
  percentile: 99.9
  rotation: folded
  smoothing: {alpha: 0, include_down: true}
  sites:
    float_sites: [layers.1.down_in, "layers.*.o_in"]
    dynamic_sites:
      - layers.0.qkv_in
    max_float_flops: 0.05
    max_dynamic_flops: 0.1
  activation_bits: 8
  weight_bits: 4
baselines:
  - method: fp
  - {method: METHOD_STATIC_MSE, first_token: float}
  - {preset: sasq-max, first_token: prefix, prefix_tokens: [0, 17]}
  - {method: smoothquant, activations: dynamic}
calibration: {window_count: 32, window_tokens: 512}
evaluation:
  window_count: 0
  window_tokens: "2048"
  stride_tokens: 512
  other_texts:
    - {name: code, text: {uri: file:/data/code.txt}}
  decode_window_count: 0
  agreement_window_count: 2
  tasks: [{name: facts, text: {uri: file:/data/facts.jsonl, layout: plain}}]
  prompts: {uri: file:/data/prompts.jsonl}
  generated_tokens: 16
max_attempts: 5
device_kind: cpu
seed: 9223372036854775807
)";

constexpr char kGoldenSpec[] = R"(
display_name: "wiki, first token float"
model { uri: "/models/smollm2" }
training_text { uri: "file:/data/wiki.valid.tokens" layout: TEXT_LAYOUT_PLAIN }
evaluation_text { uri: "file:/data/wiki.test.raw" layout: TEXT_LAYOUT_WIKITEXT_ROWS }
recipe {
  method: METHOD_SASQ first_token: FIRST_TOKEN_FLOAT
  training {
    step_count: 100 window_tokens: 256 learning_rate: 0.02 warmup_step_count: 0
    loss: TRAINING_LOSS_KL_DIVERGENCE
  }
  name: "mine" scale_rule: SCALE_RULE_PERCENTILE percentile: 99.9 rotation: ROTATION_FOLDED
  smoothing { alpha: 0 include_down: true }
  sites {
    float_sites: "layers.1.down_in" float_sites: "layers.*.o_in" dynamic_sites: "layers.0.qkv_in"
    max_float_flops: 0.05 max_dynamic_flops: 0.1
  }
  activation_bits: 8 weight_bits: 4
}
baselines { method: METHOD_FP }
baselines { method: METHOD_STATIC_MSE first_token: FIRST_TOKEN_FLOAT }
baselines {
  preset: PRESET_SASQ_MAX first_token: FIRST_TOKEN_PREFIX prefix_tokens: 0 prefix_tokens: 17
}
baselines { method: METHOD_SMOOTHQUANT activations: ACTIVATIONS_DYNAMIC }
calibration { window_count: 32 window_tokens: 512 }
evaluation {
  window_count: 0 window_tokens: 2048 stride_tokens: 512
  other_texts { name: "code" text { uri: "file:/data/code.txt" } }
  decode_window_count: 0 agreement_window_count: 2
  tasks { name: "facts" text { uri: "file:/data/facts.jsonl" layout: TEXT_LAYOUT_PLAIN } }
  prompts { uri: "file:/data/prompts.jsonl" }
  generated_tokens: 16
}
kind: JOB_KIND_QUANTIZE
max_attempts: 5
device_kind: DEVICE_KIND_CPU
seed: 9223372036854775807
)";

TEST(SpecFileTest, GoldenYaml) { ExpectSpec(ParseSpec(kGoldenYaml, "job.yaml"), kGoldenSpec); }

TEST(SpecFileTest, WhatWeWriteWeRead) {
  v1::JobSpec spec = SpecOf(kGoldenSpec);
  for (v1::Recipe& baseline : *spec.mutable_baselines()) {  // defaults, as the service writes them
    baseline.set_activation_bits(8);
    baseline.set_weight_bits(8);
  }
  std::string wanted;
  ASSERT_TRUE(TextFormat::PrintToString(spec, &wanted));
  const std::string json = ToJson(spec);
  ExpectSpec(ParseSpec(json, "job.json"), wanted);
  ExpectSpec(ParseSpec(FormatJson(json, OutputFormat::kYaml), "job.yaml"), wanted);
}

TEST(SpecFileTest, JsonWithTabsEscapesAndCharactersBeyondTheBasicPlane) {
  ExpectSpec(ParseSpec("{\n\t\"display_name\": \"\\ud83d\\ude80 \\u00e9 a\\/b \\\\ud83d\",\n"
                       "\t\"seed\": 7\n}\n",
                       "job.json"),
             R"(display_name: "🚀 é a/b \\ud83d" seed: 7)");
}

TEST(SpecFileTest, NamesEveryProblemWithItsLine) {
  const auto spec = ParseSpec(
      "modle: {uri: x}\n"
      "recipe:\n"
      "  method: sask\n"
      "  trainin: {}\n"
      "  training: {step_count: 1.5, learning_rate: fast, window_tokens: 99999999999}\n"
      "baselines: fp\n"
      "seed: [1]\n"
      "max_attempts:\n"
      "device_kind: cpu\n"
      "device_kind: cuda\n",
      "job.yaml");
  EXPECT_EQ(
      ErrorText(spec.status()),
      "sasq: 10 problems in what was asked for; correct and try again\n"
      "  job.yaml:1: modle is not a known field; did you mean model?\n"
      "  job.yaml:3: recipe.method is \"sask\", want fp, rtn_dynamic, static_absmax, "
      "static_mse, sasq, static_percentile, smoothquant, quarot, spinquant, llm_qat, fp_clipped; "
      "did you mean sasq?\n"
      "  job.yaml:4: recipe.trainin is not a known field; did you mean training?\n"
      "  job.yaml:5: recipe.training.step_count is \"1.5\", want a whole number\n"
      "  job.yaml:5: recipe.training.learning_rate is \"fast\", want a number\n"
      "  job.yaml:5: recipe.training.window_tokens is \"99999999999\", want a whole number of "
      "at most 32 bits\n"
      "  job.yaml:6: baselines is not a list\n"
      "  job.yaml:7: seed is a list or a mapping, want a single value\n"
      "  job.yaml:8: max_attempts has no value; give one or remove the line\n"
      "  job.yaml:10: device_kind is given twice\n");
  EXPECT_EQ(ExitCodeOf(spec.status()), ExitCode::kUsage);
}

TEST(SpecFileTest, EntriesOfListsAreNamed) {
  const auto spec = ParseSpec(
      "recipe:\n"
      "  sites:\n"
      "    float_sites: [a, [b], {c: d}, ~]\n"
      "  prefix_tokens: [1, x, 1.5]\n"
      "  method: sasq\n"
      "evaluation: {other_texts: [code.txt]}\n",
      "job.yaml");
  EXPECT_EQ(ErrorText(spec.status()),
            "sasq: 6 problems in what was asked for; correct and try again\n"
            "  job.yaml:3: recipe.sites.float_sites[1] is a list or a mapping, want a single "
            "value\n"
            "  job.yaml:3: recipe.sites.float_sites[2] is a list or a mapping, want a single "
            "value\n"
            "  job.yaml:3: recipe.sites.float_sites[3] has no value; give one or remove it\n"
            "  job.yaml:4: recipe.prefix_tokens[1] is \"x\", want a whole number\n"
            "  job.yaml:4: recipe.prefix_tokens[2] is \"1.5\", want a whole number\n"
            "  job.yaml:6: evaluation.other_texts[0] is not a mapping of field names to values\n");
}

TEST(SpecFileTest, RefusesWhatIsNoSpecAtAll) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "holds no document"},
      {"# nothing\n", "want one job spec"},
      {"seed: 1\n---\nseed: 2\n", "want one job spec"},
      {"- seed\n", "job.yaml:1: the spec is not a mapping"},
      {"just words", "job.yaml:1: the spec is not a mapping"},
      {"recipe:\n\tmethod: sasq\n", "job.yaml:2: not valid YAML or JSON"},
      {"{\"seed\": 1", "not valid YAML or JSON"},
      {"? [1, 2]\n: 3\n", "has a key that is not a field name"},
      {"baselines: [fp]\n", "baselines[0] is not a mapping"},
  };
  for (const auto& [text, message] : cases) {
    const auto spec = ParseSpec(text, "job.yaml");
    EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr(message)) << text;
  }
}

TEST(SpecFileTest, AWildFileGivesABoundedReport) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "unknown_" + std::to_string(i) + ": 1\n";
  EXPECT_LE(FieldViolationsOf(ParseSpec(text, "job.yaml").status()).size(), 20u);
}

class SpecFolderTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
};

TEST_F(SpecFolderTest, PathsOfAFileStartAtItsFolder) {
  const std::string path = Write("job.yaml",
                                 "model: {uri: ../models/m/}\n"
                                 "training_text: {uri: file:train.txt}\n"
                                 "evaluation_text: {uri: 's3://bucket/test.txt'}\n"
                                 "evaluation:\n"
                                 "  other_texts: [{name: code, text: {uri: ../code.txt}}]\n"
                                 "  tasks: [{name: facts, text: {uri: facts.jsonl}}]\n"
                                 "  prompts: {uri: prompts.jsonl}\n");
  const auto spec = ReadSpecFile(path);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->model().uri(),
            "file:" + (folder_.parent_path() / "models/m").lexically_normal().string());
  EXPECT_EQ(spec->training_text().uri(),
            "file:" + (folder_ / "train.txt").lexically_normal().string());
  EXPECT_EQ(spec->evaluation_text().uri(), "s3://bucket/test.txt");
  EXPECT_EQ(spec->evaluation().other_texts(0).text().uri(),
            "file:" + (folder_.parent_path() / "code.txt").lexically_normal().string());
  EXPECT_EQ(spec->evaluation().tasks(0).text().uri(),
            "file:" + (folder_ / "facts.jsonl").lexically_normal().string());
  EXPECT_EQ(spec->evaluation().prompts().uri(),
            "file:" + (folder_ / "prompts.jsonl").lexically_normal().string());
}

TEST_F(SpecFolderTest, AMissingFileIsAUsageError) {
  const auto spec = ReadSpecFile((folder_ / "none.yaml").string());
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(spec.status().message()), HasSubstr("none.yaml"));
}

TEST_F(SpecFolderTest, FlagsOverrideTheFile) {
  SpecArguments arguments;
  arguments.spec_file = Write("job.yaml",
                              "model: {uri: /m}\n"
                              "recipe: {method: static_mse, first_token: float}\n"
                              "baselines: [{method: fp}, {method: rtn_dynamic}]\n"
                              "evaluation:\n"
                              "  other_texts: [{name: wiki, text: {uri: /w}}]\n"
                              "  tasks: [{name: facts, text: {uri: /f}}]\n"
                              "seed: 3\n");
  arguments.values = {{"--method", "sasq"}, {"--steps", "7"}, {"--eval-windows", "0"}};
  arguments.baselines = {"static-absmax:float", "sasq_max:prefix", "sasq-serve"};
  arguments.other_texts = {"code=/c", "de=/d=e"};
  ExpectSpec(BuildSpec(arguments), R"(
      model { uri: "file:/m" }
      recipe { method: METHOD_SASQ first_token: FIRST_TOKEN_FLOAT training { step_count: 7 } }
      baselines { method: METHOD_STATIC_ABSMAX first_token: FIRST_TOKEN_FLOAT }
      baselines { preset: PRESET_SASQ_MAX first_token: FIRST_TOKEN_PREFIX }
      baselines { preset: PRESET_SASQ_SERVE }
      evaluation {
        window_count: 0
        other_texts { name: "code" text { uri: "file:/c" } }
        other_texts { name: "de" text { uri: "file:/d=e" } }
        tasks { name: "facts" text { uri: "file:/f" } }
      }
      seed: 3)");
}

TEST(SpecFlagsTest, EveryFlagSetsItsOwnField) {
  SpecArguments arguments;
  arguments.values = {{"--model", "/m"},
                      {"--train-text", "/t"},
                      {"--train-layout", "json-lines"},
                      {"--train-json-field", "body"},
                      {"--eval-text", "/e"},
                      {"--eval-layout", "json-lines"},
                      {"--eval-json-field", "words"},
                      {"--name", "n"},
                      {"--preset", "sasq_max"},
                      {"--method", "sasq"},
                      {"--first-token", "float"},
                      {"--scale-rule", "absmax-mean"},
                      {"--percentile", "99.5"},
                      {"--rotation", "folded"},
                      {"--activations", "static"},
                      {"--activation-bits", "6"},
                      {"--weight-bits", "4"},
                      {"--max-float-flops", "0.05"},
                      {"--max-dynamic-flops", "0.1"},
                      {"--steps", "1"},
                      {"--window-tokens", "2"},
                      {"--learning-rate", "0.5"},
                      {"--warmup-steps", "0"},
                      {"--loss", "kl-divergence"},
                      {"--calibration-windows", "3"},
                      {"--calibration-tokens", "4"},
                      {"--eval-windows", "5"},
                      {"--eval-tokens", "6"},
                      {"--eval-stride", "7"},
                      {"--decode-windows", "0"},
                      {"--agreement-windows", "1"},
                      {"--prompts", "/p"},
                      {"--generated-tokens", "10"},
                      {"--max-attempts", "8"},
                      {"--attempt-timeout", "2h30m"},
                      {"--retry-pause", "1.5s"},
                      {"--priority", "0"},
                      {"--min-worker-memory", "11"},
                      {"--device", "cuda"},
                      {"--seed", "9"}};
  EXPECT_EQ(arguments.values.size(), SpecFlags().size());
  ExpectSpec(BuildSpec(arguments), R"(
      display_name: "n"
      model { uri: "file:/m" }
      training_text { uri: "file:/t" layout: TEXT_LAYOUT_JSON_LINES json_field: "body" }
      evaluation_text { uri: "file:/e" layout: TEXT_LAYOUT_JSON_LINES json_field: "words" }
      recipe {
        preset: PRESET_SASQ_MAX method: METHOD_SASQ first_token: FIRST_TOKEN_FLOAT
        scale_rule: SCALE_RULE_ABSMAX_MEAN percentile: 99.5 rotation: ROTATION_FOLDED
        activations: ACTIVATIONS_STATIC activation_bits: 6 weight_bits: 4
        sites { max_float_flops: 0.05 max_dynamic_flops: 0.1 }
        training {
          step_count: 1 window_tokens: 2 learning_rate: 0.5 warmup_step_count: 0
          loss: TRAINING_LOSS_KL_DIVERGENCE
        }
      }
      calibration { window_count: 3 window_tokens: 4 }
      evaluation {
        window_count: 5 window_tokens: 6 stride_tokens: 7 decode_window_count: 0
        agreement_window_count: 1 prompts { uri: "file:/p" } generated_tokens: 10
      }
      max_attempts: 8 device_kind: DEVICE_KIND_CUDA seed: 9 priority: 0
      attempt_timeout { seconds: 9000 } retry { initial_backoff { seconds: 1 nanos: 500000000 } }
      min_worker_memory_bytes: 11)");
}

TEST(SpecFlagsTest, TrainingFlagsAloneMeanSasq) {
  SpecArguments arguments;
  arguments.values = {{"--steps", "3"}};
  ExpectSpec(BuildSpec(arguments), "recipe { method: METHOD_SASQ training { step_count: 3 } }");
}

TEST(SpecFlagsTest, APresetAloneNeedsNoMethod) {
  SpecArguments arguments;
  arguments.values = {{"--preset", "sasq_serve"}};
  ExpectSpec(BuildSpec(arguments), "recipe { preset: PRESET_SASQ_SERVE }");
}

TEST(SpecFlagsTest, AComparisonHasBaselinesAlone) {
  SpecArguments arguments;
  arguments.compare = true;
  arguments.baselines = {"fp"};
  arguments.values = {{"--seed", "3"}};
  arguments.tasks = {"facts=/f"};
  ExpectSpec(BuildSpec(arguments), R"(
      kind: JOB_KIND_COMPARE baselines { method: METHOD_FP } seed: 3
      evaluation { tasks { name: "facts" text { uri: "file:/f" } } })");
  arguments.values = {{"--method", "sasq"}, {"--steps", "5"}};
  const std::string text = ErrorText(BuildSpec(arguments).status());
  EXPECT_THAT(text, HasSubstr("  --method is about the one recipe of `submit`"));
  EXPECT_THAT(text, HasSubstr("  --steps is about the one recipe of `submit`"));
}

TEST(SpecFlagsTest, RelativePathsStartAtTheWorkingFolder) {
  SpecArguments arguments;
  arguments.values = {{"--model", "m/./x/"}, {"--eval-text", "file:///abs/../e.txt"}};
  const auto spec = BuildSpec(arguments);
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->model().uri(), "file:" + std::filesystem::current_path().string() + "/m/x");
  EXPECT_EQ(spec->evaluation_text().uri(), "file:/e.txt");
}

TEST(SpecFlagsTest, AShareOfNothingCanBeSaid) {
  SpecArguments arguments;
  arguments.values = {{"--preset", "sasq_serve"}, {"--max-float-flops", "0"}};
  ExpectSpec(BuildSpec(arguments), "recipe { preset: PRESET_SASQ_SERVE sites {} }");
}

TEST(SpecFlagsTest, NamesEveryBadFlag) {
  SpecArguments arguments;
  arguments.values = {
      {"--steps", "many"}, {"--max-attempts", "0"}, {"--seed", "0"}, {"--device", "tpu"}};
  arguments.baselines = {"fp", "mse", "fp:exact", "sasq_mix"};
  arguments.other_texts = {"code.txt"};
  arguments.tasks = {"=facts.jsonl", "facts="};
  const std::string text = ErrorText(BuildSpec(arguments).status());
  EXPECT_THAT(text, HasSubstr("  --steps is \"many\", want a whole number\n"));
  EXPECT_THAT(text, HasSubstr("  --max-attempts is \"0\", want more than 0, or nothing for the "
                              "default\n"));
  EXPECT_THAT(text, HasSubstr("  --device is \"tpu\", want cpu, cuda"));
  EXPECT_THAT(text, HasSubstr("  --baseline is \"mse\", want fp,"));
  EXPECT_THAT(text, HasSubstr("  --baseline is \"exact\", want quantized, float, prefix"));
  EXPECT_THAT(text, HasSubstr("fp_clipped, sasq_serve, sasq_max; did you mean sasq_max?"));
  EXPECT_THAT(text, HasSubstr("  --other-text is \"code.txt\", want NAME=FILE"));
  EXPECT_THAT(text, HasSubstr("  --task is \"=facts.jsonl\", want NAME=FILE"));
  EXPECT_THAT(text, HasSubstr("  --task is \"facts=\", want NAME=FILE"));
}

TEST(SpecFlagsTest, ViolationsOfTheServiceNameTheFlag) {
  const absl::Status status = NameFlags(FieldViolationsStatus(
      {{"spec.recipe.training.step_count", "is -1, want 1..100000"}, {"request_id", "is long"}},
      "INVALID_SPEC"));
  EXPECT_EQ(ErrorText(status),
            "sasq: 2 problems in what was asked for; correct and try again\n"
            "  spec.recipe.training.step_count is -1, want 1..100000 (--steps)\n"
            "  request_id is long\n");
  EXPECT_EQ(ReasonOf(status), "INVALID_SPEC");
}

}  // namespace
}  // namespace sasq
