#include "client/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sasq {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<CommandLine> Parse(std::vector<const char*> words) {
  words.insert(words.begin(), "sasq");
  return ParseCommandLine(static_cast<int>(words.size()), words.data());
}

template <typename Options>
Options ParseAs(const std::vector<const char*>& words) {
  const auto line = Parse(words);
  EXPECT_TRUE(line.ok()) << line.status();
  if (!line.ok() || !std::holds_alternative<Options>(line->command)) {
    ADD_FAILURE() << words[0] << " is not the command that was expected";
    return Options();
  }
  return std::get<Options>(line->command);
}

TEST(CommandLineTest, Submit) {
  const auto options = ParseAs<SubmitOptions>({"submit", "--spec", "job.yaml", "--model", "/m",
                                               "--steps", "60", "--baseline", "fp", "--baseline",
                                               "static_mse:float", "--request-id", "r1", "--wait"});
  EXPECT_EQ(options.spec.spec_file, "job.yaml");
  EXPECT_THAT(options.spec.values,
              ElementsAre(std::pair<const std::string, std::string>("--model", "/m"),
                          std::pair<const std::string, std::string>("--steps", "60")));
  EXPECT_THAT(options.spec.baselines, ElementsAre("fp", "static_mse:float"));
  EXPECT_EQ(options.request_id, "r1");
  EXPECT_TRUE(options.wait);
}

TEST(CommandLineTest, Compare) {
  const auto options = ParseAs<CompareOptions>(
      {"compare", "--model", "/m", "--baseline", "fp", "--baseline", "sasq_max:prefix",
       "--other-text", "code=c.txt", "--other-text", "de=d.txt", "--task", "facts=f.jsonl",
       "--prompts", "p.jsonl", "--request-id", "r1", "--detach"});
  EXPECT_THAT(options.spec.baselines, ElementsAre("fp", "sasq_max:prefix"));
  EXPECT_THAT(options.spec.other_texts, ElementsAre("code=c.txt", "de=d.txt"));
  EXPECT_THAT(options.spec.tasks, ElementsAre("facts=f.jsonl"));
  EXPECT_EQ(options.spec.values.at("--prompts"), "p.jsonl");
  EXPECT_EQ(options.request_id, "r1");
  EXPECT_TRUE(options.detach);
  EXPECT_FALSE(ParseAs<CompareOptions>({"compare", "job.yaml"}).detach);
  EXPECT_EQ(ParseAs<CompareOptions>({"compare", "job.yaml"}).spec.spec_file, "job.yaml");
}

TEST(CommandLineTest, Export) {
  const auto options = ParseAs<ExportCommandOptions>(
      {"export", "abc", "--format", "compressed-tensors", "--model", "/m", "--out", "o",
       "--max-shard-size", "512MiB", "--target", "vllm", "--device", "sm_90", "--force"});
  EXPECT_EQ(options.source, "abc");
  EXPECT_EQ(options.model_folder, "/m");
  EXPECT_EQ(options.out_folder, "o");
  EXPECT_EQ(options.max_shard_bytes, 512 << 20);
  EXPECT_EQ(options.target, "vllm");
  EXPECT_EQ(options.device, "sm_90");
  EXPECT_TRUE(options.force);
  const std::vector<std::vector<const char*>> bad = {
      {"export", "abc", "--model", "/m"},
      {"export", "abc", "--model", "/m", "--out", "o", "--format", "gguf"},
      {"export", "abc", "--model", "/m", "--out", "o", "--target", "tgi"},
      {"export", "abc", "--model", "/m", "--out", "o", "--max-shard-size", "0"},
      {"export", "abc", "--model", "/m", "--out", "o", "--max-shard-size", "big"}};
  for (const auto& words : bad) {
    EXPECT_EQ(Parse(words).status().code(), absl::StatusCode::kInvalidArgument) << words.back();
  }
}

TEST(CommandLineTest, CompareOfTwoResultsIsAnotherThing) {
  const auto options = ParseAs<CompareOptions>({"compare", "abc123", "out/report.json"});
  EXPECT_THAT(options.results, ElementsAre("abc123", "out/report.json"));
  EXPECT_EQ(options.spec.spec_file, "");
  EXPECT_EQ(ParseAs<CompareOptions>({"compare", "a", "b", "--row", "sasq"}).row, "sasq");
  EXPECT_TRUE(ParseAs<CompareOptions>({"compare", "job.yaml"}).results.empty());
  const auto line = Parse({"compare", "a", "b", "--output", "markdown"});
  ASSERT_TRUE(line.ok()) << line.status();
  EXPECT_EQ(line->globals.output, OutputFormat::kMarkdown);
}

TEST(CommandLineTest, Gates) {
  const auto submit = ParseAs<SubmitOptions>(
      {"submit", "--gate", "max-ppl=18", "--gate", "max-kl=0.05", "job.yaml"});
  EXPECT_THAT(submit.spec.gates, ElementsAre("max-ppl=18", "max-kl=0.05"));
  EXPECT_EQ(submit.spec.spec_file, "job.yaml");
  const auto gate = ParseAs<GateOptions>({"gate", "abc", "--gate", "max-ppl=18", "--row", "fp"});
  EXPECT_EQ(gate.job, "abc");
  EXPECT_THAT(gate.gates, ElementsAre("max-ppl=18"));
  EXPECT_EQ(gate.row, "fp");
}

TEST(CommandLineTest, CommandsBelowArtifacts) {
  const auto verify =
      ParseAs<VerifyOptions>({"artifacts", "verify", "dir", "--model", "/m", "--text", "t",
                              "--text", "e", "--attestation", "a", "--public-key", "p", "-q"});
  EXPECT_EQ(verify.job_or_folder, "dir");
  EXPECT_EQ(verify.model_folder, "/m");
  EXPECT_THAT(verify.texts, ElementsAre("t", "e"));
  EXPECT_EQ(verify.attestation, "a");
  EXPECT_EQ(verify.public_key, "p");
  const auto sign =
      ParseAs<SignOptions>({"artifacts", "sign", "abc", "--key", "k", "--out", "o", "--force"});
  EXPECT_EQ(sign.job_or_folder, "abc");
  EXPECT_EQ(sign.key, "k");
  EXPECT_EQ(sign.out, "o");
  EXPECT_TRUE(sign.force);
}

TEST(CommandLineTest, RecipeFlags) {
  const auto options = ParseAs<SubmitOptions>(
      {"submit", "--preset", "sasq_serve", "--max-float-flops", "0.02", "--scale-rule", "mse"});
  EXPECT_THAT(options.spec.values,
              ElementsAre(std::pair<const std::string, std::string>("--max-float-flops", "0.02"),
                          std::pair<const std::string, std::string>("--preset", "sasq_serve"),
                          std::pair<const std::string, std::string>("--scale-rule", "mse")));
}

TEST(CommandLineTest, FlagsOfEveryCommandMayComeBeforeOrAfterIt) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"--endpoint", "h:1", "-o", "json", "--quiet", "get", "abc"},
           {"get", "abc", "--endpoint=h:1", "--output", "json", "-q"}}) {
    const auto line = Parse(words);
    ASSERT_TRUE(line.ok()) << line.status();
    EXPECT_EQ(line->globals.connection.endpoint, "h:1");
    EXPECT_EQ(line->globals.output, OutputFormat::kJson);
    EXPECT_TRUE(line->globals.quiet);
    EXPECT_EQ(std::get<GetOptions>(line->command).job, "abc");
  }
}

TEST(CommandLineTest, TheTimeoutOfWaitIsItsOwn) {
  const auto wait = Parse({"wait", "abc", "--timeout", "30m"});
  ASSERT_TRUE(wait.ok()) << wait.status();
  EXPECT_EQ(std::get<WaitOptions>(wait->command).timeout, absl::Minutes(30));
  EXPECT_EQ(wait->globals.call_timeout, absl::Seconds(30));
  const auto get = Parse({"get", "abc", "--timeout", "5"});
  ASSERT_TRUE(get.ok()) << get.status();
  EXPECT_EQ(get->globals.call_timeout, absl::Seconds(5));
  EXPECT_EQ(ParseAs<WaitOptions>({"wait", "abc"}).timeout, absl::InfiniteDuration());
}

TEST(CommandLineTest, ListDownloadAndTheRest) {
  const auto list = ParseAs<ListOptions>(
      {"list", "--state", "queued,running", "--state", "failed", "--limit", "7"});
  EXPECT_THAT(list.states, ElementsAre("queued", "running", "failed"));
  EXPECT_EQ(list.limit, 7);
  const auto download = ParseAs<DownloadOptions>(
      {"download", "--file", "report.json", "--file", "scales.safetensors", "abc", "--dir", "out"});
  EXPECT_EQ(download.job, "abc");
  EXPECT_EQ(download.folder, "out");
  EXPECT_THAT(download.files, ElementsAre("report.json", "scales.safetensors"));
  EXPECT_TRUE(ParseAs<LogsOptions>({"logs", "-f", "abc"}).follow);
  EXPECT_TRUE(ParseAs<CancelOptions>({"cancel", "abc", "--wait"}).wait);
  EXPECT_EQ(ParseAs<DeleteOptions>({"delete", "abc"}).job, "abc");
  EXPECT_EQ(ParseAs<ArtifactsOptions>({"artifacts", "abc"}).job, "abc");
  ParseAs<PlanOptions>({"plan", "--model", "m"});
  ParseAs<WorkersOptions>({"workers"});
  ParseAs<VersionOptions>({"version"});
}

TEST(CommandLineTest, HelpIsAResult) {
  const auto line = Parse({"--help"});
  ASSERT_TRUE(line.ok());
  EXPECT_THAT(line->help, HasSubstr("Exit codes"));
  const auto submit = Parse({"submit", "--help"});
  ASSERT_TRUE(submit.ok());
  EXPECT_THAT(submit->help, HasSubstr("--learning-rate"));
}

TEST(CommandLineTest, MistakesAreNamed) {
  const std::pair<std::vector<const char*>, const char*> cases[] = {
      {{}, "no command was given; see `sasq --help`"},
      {{"sbmit"}, "there is no command sbmit; did you mean submit? See `sasq --help`"},
      {{"get"}, "job is required; see `sasq get --help`"},
      {{"get", "a", "--outptu", "json"},
       "there is no flag --outptu; did you mean --output? See `sasq get --help`"},
      {{"get", "a", "b"}, "unexpected argument b; see `sasq get --help`"},
      {{"artifacts"}, "job is required; see `sasq artifacts --help`"},
      {{"artifacts", "verify"}, "artifact is required; see `sasq artifacts verify --help`"},
      {{"artifacts", "verify", "a", "b"}, "unexpected argument b"},
      {{"artifacts", "verify", "a", "--attestation", "x"}, "--public-key"},
      {{"artifacts", "verify", "a", "--public-key", "x"}, "--attestation"},
      {{"artifacts", "sign", "a", "--kee", "x"}, "there is no flag --kee; did you mean --key?"},
      {{"artifacts", "sign", "a"}, "--key is required"},
      {{"compare", "a", "b", "--model", "m"}, "--model is about a job to submit"},
      {{"compare", "a", "b", "c"}, "unexpected argument c"},
      {{"compare", "--row", "sasq", "job.yaml"}, "--row is about two results to show"},
      {{"compare", "job.yaml", "--spec", "job.yaml"}, "the spec file is given twice"},
      {{"get", "a", "-o", "markdown"}, "--output markdown is for `sasq compare A B`"},
      {{"compare", "job.yaml", "-o", "markdown"}, "--output markdown is for `sasq compare A B`"},
      {{"list", "--limit", "0"}, "--limit"},
      {{"list", "--color", "pink"}, "--color is \"pink\", want always|auto|never"},
      {{"wait", "a", "--timeout", "soon"}, "--timeout is \"soon\", want a duration"},
      {{"submit", "--steps"}, "--steps"},
      {{"submit", "--detach"}, "there is no flag --detach"},
      {{"compare", "--wait"}, "there is no flag --wait"},
      {{"submit", "--step", "3"}, "there is no flag --step; did you mean --steps?"},
  };
  for (const auto& [words, message] : cases) {
    const auto line = Parse(words);
    EXPECT_EQ(line.status().code(), absl::StatusCode::kInvalidArgument) << message;
    EXPECT_THAT(std::string(line.status().message()), HasSubstr(message));
  }
}

}  // namespace
}  // namespace sasq
