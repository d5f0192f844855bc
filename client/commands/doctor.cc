#include "client/commands/doctor.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/commands/command.h"
#include "client/commands/workers.h"
#include "client/enum_names.h"
#include "client/job_name.h"
#include "client/proto_output.h"
#include "client/service_client.h"
#include "client/settings.h"
#include "client/text.h"
#include "common/metrics.h"

namespace sasq {
namespace {

// Times are shown to the second and gates ask for ages of hours; beyond this, people are misled.
constexpr absl::Duration kMaxClockDifference = absl::Seconds(5);

enum class Level { kOk, kWarning, kFailed };

struct Check {
  std::string name;
  Level level = Level::kOk;
  std::string detail;  // what was found
  std::string remedy;  // what to do; empty where nothing is to be done
};

const char* LevelText(Level level) {
  return level == Level::kOk ? "ok" : level == Level::kWarning ? "warning" : "failed";
}

// How far the two clocks are apart for certain: the server read its own, in whole seconds, between
// `sent` and `received`. Positive: the server's is ahead.
absl::Duration ClockDifference(absl::Time server, absl::Time sent, absl::Time received) {
  if (server > received) return server - received;
  return std::min(absl::ZeroDuration(), server + absl::Seconds(1) - sent);
}

// The checks, in the order in which one needs the other.
class Doctor {
 public:
  Doctor(const GlobalOptions& globals, const Clock& clock, Interrupt* interrupt)
      : globals_(globals), clock_(clock), interrupt_(interrupt) {}

  void Examine() {
    if (!CheckSettings() || !CheckServer()) return;
    if (CheckAccess()) CheckWorkers();
  }

  const std::vector<Check>& checks() const { return checks_; }
  ExitCode exit_code() const { return exit_code_; }

 private:
  void Add(std::string name, const std::string& detail) {
    checks_.push_back({std::move(name), Level::kOk, CleanLine(detail), ""});
  }
  void Warn(std::string name, const std::string& detail, std::string remedy) {
    checks_.push_back({std::move(name), Level::kWarning, CleanLine(detail), std::move(remedy)});
  }
  // Messages of statuses name their remedy.
  bool Fail(std::string name, const absl::Status& status, std::string remedy = "") {
    checks_.push_back(
        {std::move(name), Level::kFailed, CleanLine(status.message()), std::move(remedy)});
    exit_code_ = ExitCodeOf(status);
    return false;
  }

  bool CheckSettings();
  bool CheckServer();
  void CheckVersion();
  void CheckClock(absl::Time sent, absl::Time received);
  bool CheckAccess();
  void CheckWorkers();
  void CheckWorker(const v1::Worker& worker);

  const GlobalOptions& globals_;
  const Clock& clock_;
  Interrupt* const interrupt_;

  ConnectionSettings connection_;
  std::unique_ptr<ServiceClient> client_;
  Greeting greeting_;
  std::vector<Check> checks_;
  ExitCode exit_code_ = ExitCode::kOk;
};

bool Doctor::CheckSettings() {
  absl::StatusOr<ConnectionSettings> connection = ResolveConnection(globals_.connection);
  if (!connection.ok()) return Fail("settings", connection.status());
  connection_ = *std::move(connection);
  const RpcSecurity& security = connection_.security;
  absl::StatusOr<std::shared_ptr<grpc::Channel>> channel =
      MakeServiceChannel(connection_.endpoint, security);
  if (!channel.ok()) return Fail("settings", channel.status());
  client_ =
      std::make_unique<ServiceClient>(ServiceClient::Options{.endpoint = connection_.endpoint,
                                                             .channel = *std::move(channel),
                                                             .call_timeout = globals_.call_timeout},
                                      interrupt_);
  const bool has_token = !security.token.empty() || !security.token_file.empty();
  Add("settings",
      absl::StrCat(connection_.endpoint, security.uses_tls() ? ", with TLS" : ", without TLS",
                   has_token ? ", with a token" : ", without a token"));
  return true;
}

bool Doctor::CheckServer() {
  const absl::Time sent = clock_.Now();
  const absl::StatusOr<Greeting> greeting = client_->Greet();
  const absl::Time received = clock_.Now();
  if (!greeting.ok()) {
    return Fail(
        "server", greeting.status(),
        connection_.security.uses_tls()
            ? "if it speaks no TLS, leave --tls and its kin away; if its certificate is not "
              "known here, name the authority by --tls-ca"
            : "if it speaks TLS, add --tls or --tls-ca");
  }
  greeting_ = *greeting;
  if (!greeting_.is_serving) {
    return Fail("server", absl::UnavailableError("it answers that it does not serve"),
                "it starts or stops; try again, and read its log if it stays so");
  }
  Add("server", absl::StrCat("serves, answered in ", DurationText(received - sent)));
  CheckVersion();
  CheckClock(sent, received);
  return true;
}

void Doctor::CheckVersion() {
  const std::string own(Version());
  if (greeting_.version == own) {
    Add("version", absl::StrCat(own, ", here and there"));
  } else if (greeting_.version.empty()) {
    Warn("version", absl::StrCat(own, " here; the server does not tell its own"),
         "it is older, or a proxy took the header away; install this version there");
  } else {
    Warn("version", absl::StrCat(own, " here, ", greeting_.version, " there"),
         "install the same version on both sides");
  }
}

void Doctor::CheckClock(absl::Time sent, absl::Time received) {
  if (greeting_.time == absl::InfinitePast()) return;  // told with the version or not at all
  const absl::Duration difference = ClockDifference(greeting_.time, sent, received);
  if (absl::AbsDuration(difference) <= kMaxClockDifference) {
    Add("clock", "agrees with the server's");
    return;
  }
  Warn("clock",
       absl::StrCat("the server's is ", DurationText(absl::AbsDuration(difference)),
                    difference > absl::ZeroDuration() ? " ahead of" : " behind", " this machine's"),
       "synchronize both by NTP: ages, expiries of tokens and certificates go by the clock");
}

bool Doctor::CheckAccess() {
  v1::ListJobsRequest request;
  request.set_page_size(1);
  const absl::Status status = client_->ListJobs(request).status();
  if (!status.ok()) {
    const bool denied = absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status);
    return Fail("access", status,
                denied ? "ask who runs the service for a token, and name it by $SASQ_TOKEN or "
                         "--token-file"
                       : "");
  }
  Add("access", "may read jobs");
  return true;
}

void Doctor::CheckWorkers() {
  const absl::StatusOr<v1::ListWorkersResponse> workers = client_->ListWorkers();
  if (!workers.ok()) {
    Fail("workers", workers.status());
    return;
  }
  const auto is_there = [](const v1::Worker& worker) {
    return worker.state() == v1::WORKER_STATE_IDLE || worker.state() == v1::WORKER_STATE_BUSY;
  };
  const auto count = std::count_if(workers->workers().begin(), workers->workers().end(), is_there);
  if (count == 0) {
    Warn("workers", "none takes jobs; they wait",
         absl::StrCat("start one: sasq-worker --coordinator=", connection_.endpoint));
  } else {
    Add("workers", absl::StrCat(count, count == 1 ? " takes jobs" : " take jobs"));
  }
  for (const v1::Worker& worker : workers->workers()) CheckWorker(worker);
}

void Doctor::CheckWorker(const v1::Worker& worker) {
  const std::string name = CleanLine(worker.id());
  const std::string detail =
      absl::StrCat(ShortEnumName(v1::WorkerState_descriptor(), worker.state()), ", ",
                   worker.version(), ", ", DeviceText(worker.capabilities()));
  if (worker.state() == v1::WORKER_STATE_LOST) {
    Warn(name,
         absl::StrCat(detail, ", seen ",
                      DurationText(clock_.Now() - ToTime(worker.last_seen_time())), " ago"),
         "start it again if it should be there; its log says why it ended");
  } else if (!greeting_.version.empty() && worker.version() != greeting_.version) {
    Warn(name, detail, absl::StrCat("install ", CleanLine(greeting_.version), " there"));
  } else {
    Add(name, detail);
  }
}

std::string ChecksJson(const std::vector<Check>& checks) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Check& check : checks) {
    list.push_back({{"check", check.name},
                    {"level", LevelText(check.level)},
                    {"detail", check.detail},
                    {"remedy", check.remedy}});
  }
  return nlohmann::ordered_json{{"checks", std::move(list)}}.dump(2) + "\n";
}

std::string ChecksText(const std::vector<Check>& checks, const TextStyle& style) {
  int width = 0;
  for (const Check& check : checks) width = std::max(width, DisplayWidth(check.name));
  std::string text;
  for (const Check& check : checks) {
    const TextColor color = check.level == Level::kOk        ? TextColor::kGreen
                            : check.level == Level::kWarning ? TextColor::kYellow
                                                             : TextColor::kRed;
    absl::StrAppend(&text, style.Paint(color, PadRight(LevelText(check.level), 7)), "  ",
                    PadRight(check.name, width), "  ", check.detail);
    if (!check.remedy.empty())
      absl::StrAppend(&text, style.Paint(TextColor::kDim, " > "), check.remedy);
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace

ExitCode RunDoctor(const GlobalOptions& globals, Console& console, const Clock& clock,
                   Interrupt* interrupt) {
  Doctor doctor(globals, clock, interrupt);
  doctor.Examine();
  console.out.Write(globals.output == OutputFormat::kTable
                        ? ChecksText(doctor.checks(), console.out.style())
                        : FormatJson(ChecksJson(doctor.checks()), globals.output));
  return doctor.exit_code();
}

}  // namespace sasq
