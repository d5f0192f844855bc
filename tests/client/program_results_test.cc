// What the program says of results: gates, comparisons of two, verification and signatures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/file.h"
#include "quant/artifact/artifact.h"
#include "tests/client/fake_service.h"
#include "tests/client/program.h"
#include "tests/quant/artifact/sample.h"
#include "tests/support/key_pair.h"
#include "tests/support/temporary_folder.h"

namespace sasq::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A service with one job, and a folder with an artifact.
class ProgramResultsTest : public ::testing::Test {
 protected:
  ProgramResultsTest() {
    std::filesystem::create_directories(folder_ / "artifact");
    for (const NamedFile& file : SampleArtifact()) {
      Write("artifact/" + file.file_name, file.content);
      service_.AddBlob(file.file_name, file.content);
    }
    const KeyPair pair = NewKeyPair();
    Write("key.pem", pair.private_pem);
    Write("key.pub", pair.public_pem);
    service_.AddJob(Job());
  }

  v1::Job Job() const {
    v1::Job job = MakeSucceededJob(name_, 6);
    v1::Recipe* baseline = job.mutable_spec()->add_baselines();
    baseline->set_name("fp");
    baseline->set_method(v1::METHOD_FP);
    baseline->set_first_token(v1::FIRST_TOKEN_QUANTIZED);
    job.mutable_spec()->mutable_recipe()->set_first_token(v1::FIRST_TOKEN_QUANTIZED);
    return job;
  }
  ProgramResult Run(std::vector<std::string> arguments,
                    std::map<std::string, std::string> environment = {}) {
    Program::Options options;
    options.arguments = std::move(arguments);
    options.environment = std::move(environment);
    options.environment["SASQ_ENDPOINT"] = service_.endpoint();
    options.folder = folder_.string();
    return Program(options).Finish();
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  std::string Read(const std::string& name) const {
    return ReadFile((folder_ / name).string(), 1 << 26).value();
  }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  const std::string name_ = JobName("abc123");
  FakeService service_;
};

v1::GateResult FailedGate() {
  v1::GateResult result;
  result.set_gate("max-ppl");
  result.set_value(21.16);
  result.set_bound(20);
  return result;
}

TEST_F(ProgramResultsTest, AFailedGateHasItsLineAndItsExitCode) {
  const std::string name = JobName("bad123");
  v1::Job failed = MakeSucceededJob(name, 6);
  failed.set_state(v1::JOB_STATE_FAILED);
  failed.mutable_error()->set_reason(v1::JOB_FAILURE_REASON_QUALITY_GATE);
  failed.mutable_error()->set_message("quality gate failed: max-ppl is 21.160, bound 20.000");
  *failed.add_gate_results() = FailedGate();
  service_.AddJob(failed);
  for (const char* command : {"watch", "wait"}) {
    service_.AddWatch({{failed}, grpc::Status::OK});
    const ProgramResult run = Run({command, name, "--quiet"});
    EXPECT_EQ(run.exit_code, 3) << command;
    EXPECT_EQ(run.err, "sasq: quality gate failed: max-ppl is 21.160, bound 20.000\n");
    EXPECT_THAT(run.out, HasSubstr("21.160")) << "the comparison is shown all the same";
  }
}

TEST_F(ProgramResultsTest, ARejectedJobIsDescribed) {
  v1::Job failed = MakeSucceededJob(JobName("bad123"), 6);
  failed.set_state(v1::JOB_STATE_FAILED);
  failed.mutable_error()->set_reason(v1::JOB_FAILURE_REASON_QUALITY_GATE);
  failed.mutable_spec()->mutable_gates()->set_max_perplexity(20);
  *failed.add_gate_results() = FailedGate();
  service_.AddJob(failed);
  const std::string text = Run({"get", "bad123"}).out;
  EXPECT_THAT(text, HasSubstr("artifacts/bad12300000000000000000000000000, rejected\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("gate failed +max-ppl is 21.160, bound 20.000\n"));
  EXPECT_THAT(text, ::testing::ContainsRegex("\ngate +max-ppl=20\n"));
}

TEST_F(ProgramResultsTest, WhoeverTakesARejectedArtifactIsTold) {
  service_.Reject(FailedGate());
  const std::string line = "rejected: quality gate failed: max-ppl is 21.160, bound 20.000\n";
  const ProgramResult shown = Run({"artifacts", "abc123"});
  EXPECT_EQ(shown.exit_code, 0);
  EXPECT_THAT(shown.err, HasSubstr(line));
  const ProgramResult fetched = Run({"download", "abc123", "--dir", "out"});
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_THAT(fetched.err, HasSubstr(line));
  EXPECT_EQ(Read("out/manifest.json"), Read("artifact/manifest.json"));
  const auto json = nlohmann::json::parse(Run({"artifacts", "abc123", "-o", "json"}).out);
  EXPECT_EQ(json["rejected"], true);
}

TEST_F(ProgramResultsTest, GatesCanBeAskedAfterwards) {
  const ProgramResult failed =
      Run({"gate", "abc123", "--gate", "max-ppl-increase=0.1%", "--gate", "max-ppl=22"});
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_EQ(
      failed.err,
      "sasq: quality gate failed: max-ppl-increase is +22.85%, bound 0.10% (perplexity 21.160 "
      "against 17.224)\n");
  EXPECT_THAT(failed.out, HasSubstr("passed  max-ppl is 21.160, bound 22.000"));
  const ProgramResult passed = Run({"gate", "abc123", "--gate", "max-ppl=22", "-o", "json"});
  EXPECT_EQ(passed.exit_code, 0) << passed.err;
  EXPECT_EQ(nlohmann::json::parse(passed.out)["gate_results"][0]["passed"], true);
  EXPECT_EQ(Run({"gate", "abc123", "--gate", "max-ppl=17.5", "--row", "fp"}).exit_code, 0);

  // What cannot be evaluated fails.
  EXPECT_EQ(Run({"gate", "abc123", "--gate", "max-kl=1"}).exit_code, 3);
  EXPECT_EQ(Run({"gate", "abc123", "--gate", "max-ppl-increase-over-dynamic=9"}).exit_code, 3);
}

TEST_F(ProgramResultsTest, AResultCanBeTooOld) {
  v1::Job job = Job();
  job.set_name(JobName("a9e123"));
  job.mutable_end_time()->set_seconds(time(nullptr) - 3 * 24 * 3600 - 3600);
  service_.AddJob(job);
  EXPECT_EQ(Run({"gate", "a9e123", "--max-age", "96h"}).exit_code, 0);
  const ProgramResult old = Run({"gate", "a9e123", "--gate", "max-ppl=22", "--max-age", "72h"});
  EXPECT_EQ(old.exit_code, 3);
  EXPECT_THAT(old.err, HasSubstr("quality gate failed: max-age is 3.042, bound 3.000 (days; the "
                                 "job ended "));
  EXPECT_EQ(Run({"gate", "a9e123", "--max-age", "soon"}).exit_code, 2);
}

TEST_F(ProgramResultsTest, GatesAreTestsToCiSystems) {
  v1::Job job = Job();
  job.set_name(JobName("c1c123"));
  job.mutable_spec()->set_display_name("nightly <\"wiki\" & code>\x01");
  service_.AddJob(job);
  const ProgramResult run = Run({"gate", "c1c123", "--gate", "max-ppl-increase=0.1%", "--gate",
                                 "max-ppl=22", "--junit", "gates.xml"});
  EXPECT_EQ(run.exit_code, 3);
  const std::string xml = Read("gates.xml");
  EXPECT_THAT(xml, StartsWith("<?xml version=\"1.0\"?>\n<testsuites>"));
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<testcase classname=\"nightly &lt;&quot;wiki&quot; &amp; code&gt;"));
  EXPECT_THAT(xml, HasSubstr("name=\"max-ppl-increase\">"));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"max-ppl-increase is +22.85%, bound 0.10% "));
  EXPECT_THAT(xml, HasSubstr("<system-out>max-ppl is 21.160, bound 22.000</system-out>"));
  EXPECT_THAT(xml, Not(HasSubstr("\x01")));
  EXPECT_EQ(Run({"gate", "c1c123", "--gate", "max-ppl=22", "--junit", "no/gates.xml"}).exit_code,
            4);
}

TEST_F(ProgramResultsTest, ReportsArePrintedAsTheyAre) {
  EXPECT_EQ(Run({"report", "abc123"}).out, Read("artifact/report.md"));
  EXPECT_EQ(Run({"report", "artifact", "--format", "html"}).out, Read("artifact/report.html"));
  EXPECT_EQ(Run({"report", "abc123", "--format", "json"}).out, Read("artifact/report.json"));
  EXPECT_EQ(Run({"report", "abc123", "--format", "pdf"}).exit_code, 2);
  EXPECT_EQ(Run({"report", "ffffff"}).exit_code, 4);
}

TEST_F(ProgramResultsTest, HealthIsForProbes) {
  const ProgramResult well = Run({"health"});
  EXPECT_EQ(well.out, "SERVING\n");
  EXPECT_EQ(well.exit_code, 0) << well.err;
  EXPECT_EQ(Run({"health", "--service", "no.such.Service"}).exit_code, 4);
  service_.StopServing();
  const ProgramResult unwell = Run({"health"});
  EXPECT_EQ(unwell.out, "NOT_SERVING\n");
  EXPECT_EQ(unwell.exit_code, 5);
  EXPECT_EQ(Run({"health", "--endpoint", "127.0.0.1:1"}).exit_code, 5);
  EXPECT_EQ(Run({"health", "--metrics", "127.0.0.1:1"}).exit_code, 5);
}

TEST_F(ProgramResultsTest, GatesThatCannotBeAskedAreMistakes) {
  EXPECT_THAT(Run({"gate", "abc123"}).err, HasSubstr("has no gates of its own"));
  EXPECT_EQ(Run({"gate", "abc123"}).exit_code, 2);
  EXPECT_EQ(Run({"gate", "abc123", "--gate", "max-pl=1"}).exit_code, 2);
  EXPECT_EQ(Run({"gate", "abc123", "--gate", "max-ppl=1", "--row", "no"}).exit_code, 4);
  service_.AddJob(MakeJob(JobName("eee111"), v1::JOB_STATE_RUNNING, 2));
  const ProgramResult running = Run({"gate", "eee111", "--gate", "max-ppl=1"});
  EXPECT_EQ(running.exit_code, 1);
  EXPECT_THAT(running.err, HasSubstr("is running and has no result"));
  v1::Job comparison = MakeSucceededJob(JobName("ccc111"), 3);
  comparison.mutable_spec()->clear_recipe();
  service_.AddJob(comparison);
  EXPECT_THAT(Run({"gate", "ccc111", "--gate", "max-ppl=1"}).err, HasSubstr("--row"));
}

TEST_F(ProgramResultsTest, TwoResultsSideBySide) {
  const ProgramResult table = Run({"compare", "abc123", "artifact"});
  EXPECT_EQ(table.exit_code, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("artifact"));
  EXPECT_THAT(table.out, HasSubstr("No scale differs."));
  EXPECT_THAT(table.out, HasSubstr("Nothing differs."));
  EXPECT_THAT(table.out, HasSubstr("scale pack")) << "its size is known where the files lie";
  const ProgramResult markdown =
      Run({"compare", "artifact/report.json", "artifact", "-o", "markdown", "--row", "fp"});
  EXPECT_EQ(markdown.exit_code, 0) << markdown.err;
  EXPECT_THAT(markdown.out, StartsWith("|  | artifact/report.json | artifact |\n"));
  const ProgramResult json = Run({"compare", "artifact", "artifact", "-o", "json"});
  EXPECT_TRUE(nlohmann::json::parse(json.out)["scales"].empty());
  EXPECT_THAT(Run({"compare", "artifact", "artifact", "-o", "yaml"}).out, HasSubstr("model: "));
  EXPECT_EQ(Run({"compare", "artifact", "nowhere"}).exit_code, 2);
  EXPECT_THAT(Run({"compare", "artifact", "nowhere"}).err, HasSubstr("there is no folder nowhere"));
}

TEST_F(ProgramResultsTest, VerifyAJobAndAFolder) {
  for (const char* place : {"abc123", "artifact"}) {
    const ProgramResult run = Run({"artifacts", "verify", place});
    EXPECT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.out, ::testing::ContainsRegex("scales.safetensors +ok +sha256 "));
  }
  std::string bytes = Read("artifact/scales.safetensors");
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  Write("artifact/scales.safetensors", bytes);
  const ProgramResult run = Run({"artifacts", "verify", "artifact"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, StartsWith("sasq: artifact differs: scales.safetensors: sha256 is "));
  EXPECT_THAT(run.out, ::testing::ContainsRegex("scales.safetensors +differs "));
  const auto json =
      nlohmann::json::parse(Run({"artifacts", "verify", "artifact", "-o", "json"}).out);
  EXPECT_EQ(json["passed"], false);
  EXPECT_EQ(json["checks"][0]["what"], "scales.safetensors");
  EXPECT_EQ(Run({"artifacts", "sign", "artifact", "--key", "key.pem"}).exit_code, 1)
      << "nobody vouches for files that differ";
  std::filesystem::remove(folder_ / "artifact/manifest.json");
  EXPECT_EQ(Run({"artifacts", "verify", "artifact"}).exit_code, 4);
}

TEST_F(ProgramResultsTest, SignAndVerify) {
  const ProgramResult signed_run = Run({"artifacts", "sign", "artifact", "--key", "key.pem"});
  EXPECT_EQ(signed_run.exit_code, 0) << signed_run.err;
  EXPECT_EQ(signed_run.out, "artifact/provenance.intoto.jsonl\n");
  const std::vector<std::string> verify = {
      "artifacts",    "verify", "artifact", "--attestation", "artifact/provenance.intoto.jsonl",
      "--public-key", "key.pub"};
  const ProgramResult run = Run(verify);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, ::testing::ContainsRegex("attestation +ok +signed by "));

  // The same of the job, and again: the same bytes.
  EXPECT_EQ(Run({"artifacts", "sign", "abc123", "--key", "key.pem"}).out,
            "provenance.intoto.jsonl\n");
  EXPECT_EQ(Read("provenance.intoto.jsonl"), Read("artifact/provenance.intoto.jsonl"));
  EXPECT_EQ(Run({"artifacts", "sign", "artifact", "--key", "key.pem"}).exit_code, 0);

  const KeyPair other = NewKeyPair();
  Write("other.pem", other.private_pem);
  Write("key.pub", other.public_pem);
  const ProgramResult wrong = Run(verify);
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("attestation: "));
  EXPECT_THAT(wrong.err, HasSubstr("none of its 1 signature is that of the public key"));
  const ProgramResult there = Run({"artifacts", "sign", "artifact", "--key", "other.pem"});
  EXPECT_EQ(there.exit_code, 1);
  EXPECT_THAT(there.err, HasSubstr("exists with other content"));
  EXPECT_EQ(Run({"artifacts", "sign", "artifact", "--key", "other.pem", "--force"}).exit_code, 0);
  EXPECT_EQ(Run(verify).exit_code, 0);
}

TEST_F(ProgramResultsTest, KeysAreReadAndNeverShown) {
  const KeyPair pair = NewKeyPair("open sesame");
  Write("locked.pem", pair.private_pem);
  const std::vector<std::string> sign = {"artifacts",  "sign",  "artifact", "--key",
                                         "locked.pem", "--out", "a.jsonl"};
  const ProgramResult without = Run(sign);
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err, HasSubstr("$SASQ_KEY_PASSPHRASE"));
  const ProgramResult wrong = Run(sign, {{"SASQ_KEY_PASSPHRASE", "guess"}});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, Not(HasSubstr("guess")));
  EXPECT_EQ(Run(sign, {{"SASQ_KEY_PASSPHRASE", "open sesame"}}).exit_code, 0);
  EXPECT_EQ(Run({"artifacts", "sign", "artifact", "--key", "key.pub"}).exit_code, 2);
  EXPECT_EQ(Run({"artifacts", "sign", "artifact", "--key", "nowhere"}).exit_code, 4);
  EXPECT_EQ(Run({"artifacts", "verify", "artifact", "--attestation", "a.jsonl", "--public-key",
                 "key.pem"})
                .exit_code,
            2);
}

}  // namespace
}  // namespace sasq::testing
