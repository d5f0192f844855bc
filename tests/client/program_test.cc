// The program `sasq` against a scripted service, its outputs being pipes.
#include "tests/client/program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/rpc_status.h"
#include "tests/client/fake_service.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    service_.SetSubmit([this](const v1::SubmitJobRequest& request, auto* response) {
      submitted_ = request;
      *response->mutable_job() = MakeJob(name_, v1::JOB_STATE_QUEUED, 1);
      response->mutable_job()->set_waiting_reason("no worker is connected");
      return grpc::Status::OK;
    });
  }

  ProgramResult Run(std::vector<std::string> arguments) {
    return RunProgram(std::move(arguments), {{"SASQ_ENDPOINT", service_.endpoint()}});
  }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  const std::string name_ = JobName("abc123");
  v1::SubmitJobRequest submitted_;  // written by a call that ends before it is read
  FakeService service_;
};

TEST_F(ProgramTest, SubmitPrintsTheNameAlone) {
  const ProgramResult run = Run({"submit", "--model", "/m", "--train-text", "/t", "--eval-text",
                                 "/e", "--first-token", "float", "--request-id", "r7"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, name_ + "\n");
  EXPECT_THAT(run.err, HasSubstr("`sasq watch abc123000000`"));
  EXPECT_THAT(run.err, HasSubstr("no worker is connected"));
  EXPECT_EQ(submitted_.request_id(), "r7");
  EXPECT_EQ(submitted_.spec().model().uri(), "file:/m");
  EXPECT_EQ(submitted_.spec().recipe().first_token(), v1::FIRST_TOKEN_FLOAT);
  EXPECT_FALSE(submitted_.validate_only());
}

TEST_F(ProgramTest, SubmitReadsSpecsFromFilesAndStandardInput) {
  const std::string path = Write("job.yaml", "model: {uri: m}\nseed: 5\n");
  EXPECT_EQ(Run({"submit", "--spec", path, "--seed", "6", "--quiet"}).err, "");
  EXPECT_EQ(submitted_.spec().seed(), 6);
  EXPECT_EQ(submitted_.spec().model().uri(), "file:" + (folder_ / "m").string());
  EXPECT_EQ(Run({"submit", path}).exit_code, 0);
  EXPECT_EQ(submitted_.spec().seed(), 5);
  Program::Options options;
  options.arguments = {"submit", "--spec", "-"};
  options.environment = {{"SASQ_ENDPOINT", service_.endpoint()}};
  options.input = "{\"seed\": 8, \"model\": {\"uri\": \"m\"}}";
  options.folder = folder_.string();
  EXPECT_EQ(Program(options).Finish().exit_code, 0);
  EXPECT_EQ(submitted_.spec().seed(), 8);
  EXPECT_EQ(submitted_.spec().model().uri(), "file:" + (folder_ / "m").string());
}

TEST_F(ProgramTest, SubmitAndWaitShowsProgressAndPrintsTheComparison) {
  v1::Job training = MakeJob(name_, v1::JOB_STATE_RUNNING, 2);
  training.mutable_progress()->set_stage(v1::STAGE_TRAIN);
  training.mutable_progress()->set_subject("sasq");
  training.mutable_progress()->set_step(3);
  training.mutable_progress()->set_step_count(60);
  v1::Job queued = MakeJob(name_, v1::JOB_STATE_QUEUED, 4);
  queued.set_waiting_reason("the lease was lost");
  service_.AddWatch(
      {{MakeJob(name_, v1::JOB_STATE_QUEUED, 1), training}, {grpc::StatusCode::UNAVAILABLE, "x"}});
  service_.AddWatch({{queued, MakeSucceededJob(name_, 6)}, grpc::Status::OK});
  const ProgramResult run = Run({"submit", "--model", "/m", "--wait"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out,
            "row   perplexity  ratio to fp  tokens  time\n"
            "-------------------------------------------\n"
            "fp        17.224        1.000    8188   25s\n"
            "sasq      21.160        1.229    8188   25s\n");
  EXPECT_THAT(run.err, HasSubstr("submitted " + name_ + "\nqueued\ntraining sasq: step 3/60"));
  EXPECT_THAT(run.err, HasSubstr("connection lost, reconnecting"));
  EXPECT_THAT(run.err, HasSubstr("connected again\nattempt 1 of 3 was lost; the job is queued again"
                                 "\nqueued: the lease was lost\n"));
  EXPECT_THAT(run.err, HasSubstr("* sasq: perplexity 21.160, 1.229 x fp, 25s"));
  EXPECT_THAT(run.err, HasSubstr(name_ + " succeeded in 4m12s; `sasq download abc123000000`"));
  EXPECT_THAT(run.err, Not(HasSubstr("\x1b")));
}

v1::Job SucceededComparison(const std::string& name) {
  v1::Job job = MakeSucceededJob(name, 6);
  job.mutable_spec()->clear_recipe();
  job.mutable_spec()->set_kind(v1::JOB_KIND_COMPARE);
  v1::ReportRow* failed = job.add_rows();
  failed->set_name("quarot");
  failed->set_method(v1::METHOD_QUAROT);
  failed->set_failure("no Hadamard matrix of 86 is known");
  return job;
}

TEST_F(ProgramTest, ComparePrintsTheTableAndWhyRowsFailed) {
  service_.AddWatch(
      {{MakeJob(name_, v1::JOB_STATE_QUEUED, 1), SucceededComparison(name_)}, grpc::Status::OK});
  const ProgramResult run =
      Run({"compare", "--model", "/m", "--baseline", "fp", "--baseline", "sasq_max:prefix",
           "--other-text", "code=/c", "--task", "facts=/f", "--prompts", "/p"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out,
            "row     perplexity  ratio to fp  tokens  time\n"
            "---------------------------------------------\n"
            "fp          17.224        1.000    8188   25s\n"
            "sasq        21.160        1.229    8188   25s\n"
            "quarot      failed            -       0  0.0s\n"
            "quarot: no Hadamard matrix of 86 is known\n");
  EXPECT_EQ(submitted_.spec().kind(), v1::JOB_KIND_COMPARE);
  EXPECT_FALSE(submitted_.spec().has_recipe());
  ASSERT_EQ(submitted_.spec().baselines_size(), 2);
  EXPECT_EQ(submitted_.spec().baselines(1).preset(), v1::PRESET_SASQ_MAX);
  EXPECT_EQ(submitted_.spec().evaluation().other_texts(0).name(), "code");
  EXPECT_EQ(submitted_.spec().evaluation().tasks(0).text().uri(), "file:/f");
  EXPECT_EQ(submitted_.spec().evaluation().prompts().uri(), "file:/p");
}

TEST_F(ProgramTest, CompareDetachedPrintsTheNameAlone) {
  const ProgramResult run = Run({"compare", "--model", "/m", "--detach", "--request-id", "r8"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.out, name_ + "\n");
  EXPECT_EQ(submitted_.request_id(), "r8");
  EXPECT_EQ(submitted_.spec().kind(), v1::JOB_KIND_COMPARE);
}

TEST_F(ProgramTest, CompareRefusesOptionsOfTheOneRecipe) {
  const ProgramResult run = Run({"compare", "--model", "/m", "--preset", "sasq_max"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("--preset is about the one recipe of `submit`"));
  EXPECT_EQ(submitted_.spec().model().uri(), "") << "nothing was sent";
}

TEST_F(ProgramTest, AComparisonIsDescribed) {
  v1::Job job = SucceededComparison(name_);
  v1::JobSpec& spec = *job.mutable_spec();
  v1::Recipe* serve = spec.add_baselines();
  serve->set_preset(v1::PRESET_SASQ_SERVE);
  serve->set_method(v1::METHOD_SASQ);
  serve->set_name("sasq-serve");
  serve->set_rotation(v1::ROTATION_FOLDED);
  serve->set_scale_rule(v1::SCALE_RULE_MSE);
  serve->mutable_sites()->set_max_float_flops(0.05);
  serve->mutable_sites()->add_float_sites("layers.1.down_in");
  v1::Recipe* smooth = spec.add_baselines();
  smooth->set_method(v1::METHOD_SMOOTHQUANT);
  smooth->set_activations(v1::ACTIVATIONS_DYNAMIC);
  smooth->mutable_smoothing();
  smooth->set_activation_bits(6);
  spec.mutable_evaluation()->set_window_count(4);
  spec.mutable_evaluation()->set_window_tokens(2048);
  spec.mutable_evaluation()->set_stride_tokens(512);
  spec.mutable_evaluation()->set_decode_window_count(2);
  spec.mutable_evaluation()->set_agreement_window_count(1);
  v1::NamedText* other = spec.mutable_evaluation()->add_other_texts();
  other->set_name("code");
  other->mutable_text()->set_uri("file:/c");
  v1::NamedText* task = spec.mutable_evaluation()->add_tasks();
  task->set_name("facts");
  task->mutable_text()->set_uri("file:/f");
  spec.mutable_evaluation()->mutable_prompts()->set_uri("file:/p");
  service_.AddJob(job);
  const std::string text = Run({"get", "abc123"}).out;
  EXPECT_THAT(text, HasSubstr("kind             comparison\n"));
  EXPECT_THAT(text, Not(HasSubstr("recipe")));
  EXPECT_THAT(text, HasSubstr("baselines        sasq-serve: sasq, rotation folded, scales mse, up "
                              "to 5% in float, float: layers.1.down_in\n"));
  EXPECT_THAT(text, HasSubstr("                 smoothquant, dynamic, smoothed, 6-bit "
                              "activations\n"));
  EXPECT_THAT(text, HasSubstr("4 x 2048 tokens, one every 512; 2 decoded; 1 compared with fp\n"));
  EXPECT_THAT(text, HasSubstr("other text       code: file:/c\n"));
  EXPECT_THAT(text, HasSubstr("task             facts: file:/f\n"));
  EXPECT_THAT(text, HasSubstr("prompts          file:/p\n"));
  EXPECT_THAT(Run({"list"}).out, HasSubstr("3 rows"));
}

TEST_F(ProgramTest, JsonOfAWaitIsTheJob) {
  service_.AddJob(MakeSucceededJob(name_, 6));
  service_.AddWatch({{MakeSucceededJob(name_, 6)}, grpc::Status::OK});
  const ProgramResult run = Run({"wait", "abc123", "--output", "json", "--quiet"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.err, "");
  const auto job = nlohmann::json::parse(run.out);
  EXPECT_EQ(job["state"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(job["rows"][1]["method"], "METHOD_SASQ");
  EXPECT_EQ(job["spec"]["max_attempts"], 3);
}

TEST_F(ProgramTest, AFailedJobSaysWhyAndExitsWithOne) {
  v1::Job job = MakeJob(name_, v1::JOB_STATE_FAILED, 6);
  job.mutable_error()->set_reason(v1::JOB_FAILURE_REASON_INVALID_MODEL);
  job.mutable_error()->set_message("/m/model.safetensors is cut\x1b[2J short");
  service_.AddJob(job);
  service_.AddWatch({{job}, grpc::Status::OK});
  const ProgramResult run = Run({"watch", name_});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("sasq: " + name_ +
                                 " failed (invalid_model): /m/model.safetensors "
                                 "is cut\uFFFD[2J short\n"));
  EXPECT_EQ(Run({"get", name_}).exit_code, 0);  // looking is not failing
}

TEST_F(ProgramTest, WaitTimesOut) {
  service_.AddJob(MakeJob(name_, v1::JOB_STATE_RUNNING, 2));
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 2)}, grpc::Status::OK, true});
  const ProgramResult run = Run({"wait", name_, "--timeout", "200ms"});
  EXPECT_EQ(run.exit_code, 124);
  EXPECT_THAT(run.err, HasSubstr("sasq: the wait timed out; " + name_ + " lives on"));
}

TEST_F(ProgramTest, CtrlCLeavesTheJob) {
  service_.AddJob(MakeJob(name_, v1::JOB_STATE_RUNNING, 2));
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_RUNNING, 2)}, grpc::Status::OK, true});
  Program::Options options;
  options.arguments = {"watch", name_};
  options.environment = {{"SASQ_ENDPOINT", service_.endpoint()}};
  Program program(options);
  service_.WaitForHold();
  program.Signal(SIGINT);
  const ProgramResult run = program.Finish();
  EXPECT_EQ(run.exit_code, 130);
  EXPECT_THAT(run.err, HasSubstr("sasq: interrupted; " + name_ +
                                 " lives on: `sasq watch abc123000000` follows it, `sasq cancel "
                                 "abc123000000` ends it\n"));
}

TEST_F(ProgramTest, ViolationsOfTheServiceAreListed) {
  service_.SetSubmit([](const v1::SubmitJobRequest&, v1::SubmitJobResponse*) {
    return ToGrpcStatus(FieldViolationsStatus(
        {{"spec.recipe.training.step_count", "is -1, want 1..100000"}}, "INVALID_SPEC"));
  });
  const ProgramResult run = Run({"submit", "--steps", "-1"});
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_EQ(run.err,
            "sasq: 1 problem in what was asked for; correct and try again\n"
            "  spec.recipe.training.step_count is -1, want 1..100000 (--steps)\n");
}

TEST_F(ProgramTest, ExitCodesOfCallsThatFail) {
  EXPECT_EQ(Run({"get", JobName("ffffff")}).exit_code, 4);
  EXPECT_EQ(Run({"get", "nonsense"}).exit_code, 2);
  EXPECT_EQ(Run({"list", "--state", "dancing"}).exit_code, 2);
  const ProgramResult run = Run({"list", "--endpoint", "127.0.0.1:1"});
  EXPECT_EQ(run.exit_code, 5);
  EXPECT_THAT(run.err, StartsWith("sasq: cannot reach sasqd at 127.0.0.1:1 (Connection refused)"));
}

TEST_F(ProgramTest, TheEndpointComesFromFlagEnvironmentOrConfigFile) {
  const std::string config = Write("config.yaml", "endpoint: " + service_.endpoint() + "\n");
  EXPECT_EQ(RunProgram({"workers"}, {{"SASQ_CONFIG", config}}).exit_code, 0);
  const std::map<std::string, std::string> both = {{"SASQ_CONFIG", config},
                                                   {"SASQ_ENDPOINT", "127.0.0.1:1"}};
  EXPECT_EQ(RunProgram({"workers"}, both).exit_code, 5);
  EXPECT_EQ(RunProgram({"workers", "--endpoint", service_.endpoint()}, both).exit_code, 0);
  std::filesystem::create_directories(folder_ / ".config/sasq");
  std::filesystem::rename(config, folder_ / ".config/sasq/config.yaml");
  EXPECT_EQ(RunProgram({"workers"}, {{"HOME", folder_.string()}}).exit_code, 0);

  const ProgramResult unknown =
      RunProgram({"workers"}, {{"SASQ_CONFIG", Write("bad.yaml", "\nendpiont: x\n")}});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("bad.yaml:2: endpiont is not a known setting"));
  EXPECT_EQ(RunProgram({"workers"}, {{"SASQ_CONFIG", "/none"}}).exit_code, 2);
  EXPECT_THAT(RunProgram({"version"}, {{"SASQ_CONFIG", "/none"}}).out, StartsWith("sasq "));
}

TEST_F(ProgramTest, ListsJobs) {
  service_.AddJob(MakeJob(JobName("abc001"), v1::JOB_STATE_RUNNING, 1));
  service_.AddJob(MakeSucceededJob(JobName("abc002"), 1));
  service_.AddJob(MakeJob(JobName("abc003"), v1::JOB_STATE_QUEUED, 1));
  const ProgramResult table = Run({"list"});
  EXPECT_THAT(table.out, HasSubstr("abc001000000"));
  EXPECT_THAT(table.out, HasSubstr("4m12s  21.160 (1.229 x fp)"));
  EXPECT_EQ(Run({"list", "--quiet", "--limit", "3", "--state", "queued,succeeded"}).out,
            JobName("abc002") + "\n" + JobName("abc003") + "\n");
  const auto json = nlohmann::json::parse(Run({"list", "--limit", "2", "-o", "json"}).out);
  EXPECT_EQ(json["jobs"].size(), 2u);
}

TEST_F(ProgramTest, ShowsJobsWorkersAndPlans) {
  service_.AddJob(MakeSucceededJob(name_, 6));
  EXPECT_THAT(Run({"get", "abc123"}).out, HasSubstr("state            succeeded\n"));
  EXPECT_THAT(Run({"get", "abc123", "-o", "yaml"}).out,
              HasSubstr("state: \"JOB_STATE_SUCCEEDED\""));
  const std::string workers = Run({"workers"}).out;
  EXPECT_THAT(workers, HasSubstr("worker-1  busy   abc123000000"));
  EXPECT_THAT(workers, Not(HasSubstr("\x1b")));
  service_.SetSubmit([this](const v1::SubmitJobRequest& request, auto* response) {
    submitted_ = request;
    *response->mutable_job()->mutable_spec() = request.spec();
    response->mutable_plan()->set_model_readable(true);
    response->mutable_plan()->set_site_count(120);
    response->mutable_plan()->set_flop_count(2.5e12);
    return grpc::Status::OK;
  });
  const ProgramResult plan = Run({"plan", "--model", "/m"});
  EXPECT_EQ(plan.exit_code, 0);
  EXPECT_TRUE(submitted_.validate_only());
  EXPECT_THAT(plan.out, HasSubstr("120, one scale each"));
  EXPECT_THAT(plan.out, HasSubstr("2.50 TFLOP"));
}

TEST_F(ProgramTest, CancelsAndDeletes) {
  service_.AddJob(MakeJob(name_, v1::JOB_STATE_RUNNING, 2));
  EXPECT_EQ(Run({"cancel", "abc123"}).err, name_ + " is cancelling\n");
  service_.AddWatch({{MakeJob(name_, v1::JOB_STATE_CANCELLED, 3)}, grpc::Status::OK});
  EXPECT_EQ(Run({"cancel", "abc123", "--wait", "--quiet"}).exit_code, 0);
  service_.AddWatch({{MakeSucceededJob(name_, 3)}, grpc::Status::OK});
  EXPECT_EQ(Run({"cancel", "abc123", "--wait"}).exit_code, 1);  // it was faster
  EXPECT_EQ(Run({"delete", name_}).err, "deleted " + name_ + "\n");
  EXPECT_EQ(service_.calls().back(), "DeleteJob " + name_);
}

TEST_F(ProgramTest, LogsArePipedByteForByte) {
  const std::string log = std::string("one\ntwo \x1b[31m\xff\n") + std::string(3000, 'x') + "\n";
  service_.AddJob(MakeJob(name_, v1::JOB_STATE_RUNNING, 2));
  service_.SetLog(log, {5, 1200});
  const ProgramResult run = Run({"logs", "--follow", name_});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_EQ(run.out, log);
  EXPECT_THAT(service_.log_offsets(), ElementsAre(0, 5, 1200));
}

TEST_F(ProgramTest, Downloads) {
  service_.AddBlob("report.json", "{}\n");
  service_.AddBlob("scales.safetensors", std::string(5000, 's'));
  service_.BreakDownloadAt(2500);
  const std::string out = (folder_ / "out").string();
  EXPECT_THAT(Run({"artifacts", name_}).out, HasSubstr("4.9 KiB"));
  const ProgramResult run = Run({"download", name_, "--dir", out});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(std::filesystem::file_size(folder_ / "out/scales.safetensors"), 5000u);

  const auto again = nlohmann::json::parse(
      Run({"download", name_, "--dir", out, "--file", "report.json", "-o", "json"}).out);
  EXPECT_EQ(again["files"][0]["path"], out + "/report.json");
  EXPECT_EQ(again["files"][0]["downloaded"], false);

  Write("out/report.json", "mine");
  const ProgramResult refused = Run({"download", name_, "--dir", out});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("/report.json exists with other content"));
  EXPECT_EQ(std::filesystem::file_size(folder_ / "out/report.json"), 4u);
  EXPECT_EQ(Run({"download", name_, "--dir", out, "--force"}).exit_code, 0);
  EXPECT_EQ(std::filesystem::file_size(folder_ / "out/report.json"), 3u);
  const ProgramResult typo = Run({"download", name_, "--file", "report.jsn"});
  EXPECT_EQ(typo.exit_code, 4);
  EXPECT_THAT(typo.err, HasSubstr("did you mean report.json?"));
}

TEST_F(ProgramTest, NothingIsWrittenOutsideTheFolder) {
  service_.AddBlob("report.json", "{}\n");
  service_.AddBlob("../evil", "x");
  const ProgramResult run = Run({"download", name_, "--dir", (folder_ / "out").string()});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("want a plain file name; nothing was written"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "evil"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
}

TEST_F(ProgramTest, AFullDiskUnderStandardOutputIsAnError) {
  const std::string command =
      std::string(SASQ_PROGRAM) + " version > /dev/full 2> " + (folder_ / "err").string();
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  std::string text;
  std::getline(std::ifstream(folder_ / "err"), text);
  EXPECT_EQ(text, "sasq: cannot write standard output: No space left on device");
}

}  // namespace
}  // namespace sasq::testing
