#include "tests/bench/load/load.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"

namespace sasq::load {

void Latencies::Add(absl::Duration duration) {
  MutexLock lock(&mutex_);
  milliseconds_.push_back(absl::ToDoubleMilliseconds(duration));
}

void Latencies::Print(const char* name, double seconds) {
  MutexLock lock(&mutex_);
  std::sort(milliseconds_.begin(), milliseconds_.end());
  const auto quantile = [this](double q) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (milliseconds_.empty()) return 0.0;
    return milliseconds_[static_cast<size_t>(q * static_cast<double>(milliseconds_.size() - 1))];
  };
  std::printf("%-14s %8zu %8.0f /s %9.2f ms %9.2f ms %8d failed\n", name, milliseconds_.size(),
              static_cast<double>(milliseconds_.size()) / seconds, quantile(0.5), quantile(0.99),
              failures());
}

Scheduler::Scheduler() : thread_([this] { Run(); }) {}

Scheduler::~Scheduler() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  thread_.join();
}

void Scheduler::At(absl::Time time, std::function<void()> run) {
  MutexLock lock(&mutex_);
  entries_.emplace(time, std::move(run));
  changed_.SignalAll();
}

void Scheduler::Run() {
  while (true) {
    std::function<void()> run;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && (entries_.empty() || entries_.begin()->first > absl::Now())) {
        const absl::Duration left =
            entries_.empty() ? absl::Seconds(1) : entries_.begin()->first - absl::Now();
        changed_.WaitFor(&mutex_, left);
      }
      if (stopping_) return;
      run = std::move(entries_.begin()->second);
      entries_.erase(entries_.begin());
    }
    run();
  }
}

CoordinatorProcess::CoordinatorProcess(const Flags& flags, const std::string& folder) {
  const std::string port_file = folder + "/ports.json";
  std::vector<std::string> arguments = {
      flags.sasqd,
      "--listen_address=127.0.0.1:0",
      "--metrics_address=127.0.0.1:0",
      absl::StrCat("--data_dir=", folder, "/data"),
      absl::StrCat("--port_file=", port_file),
      absl::StrCat("--lease_duration=", 3 * flags.heartbeat_seconds, "s"),
      absl::StrCat("--heartbeat_interval=", flags.heartbeat_seconds, "s"),
      "--max_queued_per_tenant=0",
      "--log_level=warning"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  process_ = ::fork();
  if (process_ == 0) {
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  // The file is renamed into its place when it is whole.
  for (int i = 0; i < 1000 && !std::filesystem::exists(port_file); ++i) {
    absl::SleepFor(absl::Milliseconds(20));
  }
  std::ifstream file(port_file);
  if (!file) return;
  endpoint_ = absl::StrCat("127.0.0.1:", nlohmann::json::parse(file).at("grpc").get<int>());
}

CoordinatorProcess::~CoordinatorProcess() {
  ::kill(process_, SIGTERM);
  ::waitpid(process_, nullptr, 0);
}

int64_t CoordinatorProcess::Status(const std::string& field) const {
  std::ifstream status(absl::StrCat("/proc/", process_, "/status"));
  std::string word;
  while (status >> word) {
    int64_t value = 0;
    if (word == field + ":" && status >> value) return value;
  }
  return 0;
}

double Submitters::Run() {
  const absl::Time start = absl::Now();
  for (int i = 0; i < flags_.submitter_count; ++i) SubmitNext();
  MutexLock lock(&mutex_);
  while (in_flight_ > 0) changed_.Wait(&mutex_);
  return absl::ToDoubleSeconds(absl::Now() - start);
}

void Submitters::SubmitNext() {
  {
    MutexLock lock(&mutex_);
    if (begun_ == flags_.job_count) return;
    ++begun_;
    ++in_flight_;
  }
  const auto call = std::make_shared<Call<v1::SubmitJobRequest, v1::SubmitJobResponse>>();
  v1::JobSpec& spec = *call->request.mutable_spec();
  spec.mutable_model()->set_uri("file:/models/one");
  spec.mutable_training_text()->set_uri("file:/texts/train.txt");
  spec.mutable_evaluation_text()->set_uri("file:/texts/test.txt");
  spec.set_no_cache(true);
  stubs_.Next()->SubmitJob(&call->context, &call->request, &call->response,
                           [this, call](const grpc::Status& status) {
                             if (status.ok()) {
                               latencies_.Add(absl::Now() - call->start);
                             } else {
                               latencies_.AddFailure();
                             }
                             SubmitNext();
                             MutexLock lock(&mutex_);
                             if (status.ok()) names_.push_back(call->response.job().name());
                             --in_flight_;
                             changed_.SignalAll();
                           });
}

}  // namespace sasq::load
