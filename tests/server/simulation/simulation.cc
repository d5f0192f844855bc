#include "tests/server/simulation/simulation.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "tests/server/simulation/simulated_worker.h"
#include "tests/server/simulation/world.h"
#include "tests/server/test_jobs.h"

namespace sasq::simulation {
namespace {

constexpr int kFaultyTurns = 300;
constexpr int kMaxHealthyTurns = 3000;
constexpr int kMaxJobs = 12;
constexpr int kSeedsOfJobs = 8;  // fewer than jobs, so that some do the same

// A job as its client knows it.
struct ClientJob {
  v1::SubmitJobRequest request;
  std::string name;      // empty: not acknowledged yet
  bool deleted = false;  // DeleteJob was called; whether it took effect is not known
};

int Count(absl::string_view text, absl::string_view word) {
  int count = 0;
  for (size_t at = text.find(word); at != absl::string_view::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

class Simulation {
 public:
  Simulation(uint64_t seed, const std::string& folder) : world_(folder, seed) {
    workers_.emplace_back("cpu-1", v1::DEVICE_KIND_CPU, world_, verdicts_);
    workers_.emplace_back("cpu-2", v1::DEVICE_KIND_CPU, world_, verdicts_);
    workers_.emplace_back("cuda-1", v1::DEVICE_KIND_CUDA, world_, verdicts_);
  }

  Outcome Run() {
    world_.StartCoordinator();
    for (int turn = 0; turn < kFaultyTurns; ++turn) {
      PassTime();
      world_.Turn();
      ActAsClient();
      for (SimulatedWorker& worker : workers_) worker.Act();
    }
    RunHealthy();
    CheckJobs();
    CheckBlobs();
    for (const std::string& violation : world_.watched().violations()) Object(violation);
    return std::move(outcome_);
  }

 private:
  Faults& faults() { return world_.faults(); }

  void PassTime() {
    world_.clock().Advance(absl::Milliseconds(faults().Pick(0, 4000)));
    if (!faults().Happens(faults().rates().clock_jump)) return;
    world_.clock().Advance(absl::Seconds(faults().Pick(-25, 200)));
  }

  void ActAsClient() {
    const int64_t dice = faults().Pick(0, 99);
    if (dice < 12 && jobs_.size() < kMaxJobs) jobs_.push_back(NewJob());
    if (jobs_.empty()) return;
    ClientJob& job =
        jobs_[static_cast<size_t>(faults().Pick(0, static_cast<int64_t>(jobs_.size()) - 1))];
    if (job.name.empty()) return Submit(job);
    if (dice < 80) return Look(job);
    if (dice < 84) return Cancel(job);
    if (dice < 86) return Delete(job);
  }

  ClientJob NewJob() {
    ClientJob job;
    job.request.set_request_id(absl::StrCat("request ", jobs_.size()));
    v1::JobSpec& spec = *job.request.mutable_spec();
    spec = MinimalSpec();
    spec.set_seed(faults().Pick(1, kSeedsOfJobs));
    spec.set_max_attempts(static_cast<int>(faults().Pick(1, 4)));
    spec.set_priority(static_cast<int>(faults().Pick(0, 1000)));
    spec.mutable_retry()->mutable_initial_backoff()->set_seconds(faults().Pick(0, 20));
    return job;
  }

  void Submit(ClientJob& job) {
    const auto answer = world_.Call<v1::SubmitJobResponse>([this, request = job.request] {
      return world_.coordinator().SubmitJob(Principal(), request);
    });
    if (answer.ok()) job.name = answer->job().name();
  }

  void Look(const ClientJob& job) {
    const auto answer = world_.Call<v1::Job>(
        [this, name = job.name] { return world_.coordinator().GetJob(Principal(), name); });
    if (absl::IsNotFound(answer.status()) && !job.deleted) {
      Object(absl::StrCat(job.name, " was acknowledged and is gone"));
    }
  }

  void Cancel(const ClientJob& job) {
    (void)world_.Call<v1::Job>(
        [this, name = job.name] { return world_.coordinator().CancelJob(Principal(), name); });
  }

  void Delete(ClientJob& job) {
    job.deleted = true;
    (void)world_.Call<bool>([this, name = job.name]() -> absl::StatusOr<bool> {
      const absl::Status status = world_.coordinator().DeleteJob(Principal(), name);
      if (!status.ok()) return status;
      return true;
    });
  }

  bool AllEnded() {
    for (const ClientJob& job : jobs_) {
      const absl::StatusOr<JobRecord> record = world_.jobs().Get(IdOf(job));
      if (record.ok() && !IsEndedState(record->job.state())) return false;
    }
    return true;
  }

  // No faults any more: clients repeat what was not acknowledged, and every job ends.
  void RunHealthy() {
    faults().Heal();
    for (SimulatedWorker& worker : workers_) worker.Heal();
    for (int turn = 0; turn < kMaxHealthyTurns; ++turn) {
      world_.clock().Advance(absl::Seconds(1));
      world_.Turn();
      bool all_acknowledged = true;
      for (ClientJob& job : jobs_) {
        if (job.name.empty()) Submit(job);
        all_acknowledged = all_acknowledged && !job.name.empty();
      }
      for (SimulatedWorker& worker : workers_) worker.Act();
      if (all_acknowledged && turn > 100 && AllEnded()) return;
    }
    Object("not every job ended");
  }

  void CheckJobs() {
    std::set<std::string> names;
    for (const ClientJob& job : jobs_) {
      if (!names.insert(job.name).second) Object(absl::StrCat(job.name, " has two request ids"));
      const absl::StatusOr<JobRecord> record = world_.jobs().Get(IdOf(job));
      if (!record.ok()) {
        if (!job.deleted) Object(absl::StrCat(job.name, ": ", record.status().ToString()));
        continue;
      }
      ++outcome_.job_count;
      outcome_.attempt_count += record->job.attempt_count();
      CheckJob(*record);
    }
    if (world_.jobs().List({}, 0, 1000)->size() > names.size()) {
      Object("there are jobs that nobody submitted");
    }
  }

  void CheckJob(const JobRecord& record) {
    const v1::Job& job = record.job;
    const std::string log = world_.jobs().ReadLog(JobId(job), 0, kMaxJobLogBytes)->data;
    const int attempts = Count(log, " began on worker ") - Count(log, " was given back by worker ");
    if (attempts > job.spec().max_attempts() || attempts != job.attempt_count()) {
      Object(absl::StrCat(job.name(), " had ", attempts, " attempts, says ", job.attempt_count(),
                          " and may have ", job.spec().max_attempts()));
    }
    if (!record.lease_token.empty() || !job.worker().empty() ||
        record.lease_expire_time != absl::InfiniteFuture()) {
      Object(absl::StrCat(job.name(), " is ", JobStateName(job.state()), " and leased by ",
                          job.worker()));
    }
    const absl::StatusOr<v1::Artifact> artifact = world_.jobs().GetArtifact(JobId(job));
    if (artifact.ok() != (job.state() == v1::JOB_STATE_SUCCEEDED)) {
      Object(absl::StrCat(job.name(), " is ", JobStateName(job.state()),
                          ", its artifact: ", artifact.status().ToString()));
    }
    if (!artifact.ok()) return;
    ++outcome_.succeeded_count;
    if (!job.reused_from().empty()) ++outcome_.reused_count;
    for (const v1::Blob& blob : artifact->blobs()) referenced_.insert(blob.sha256());
    CheckArtifact(record, *artifact);
  }

  void CheckArtifact(const JobRecord& record, const v1::Artifact& artifact) {
    const std::string& name = record.job.name();
    std::map<std::string, std::string> files;
    for (const v1::Blob& blob : artifact.blobs()) {
      const auto reader = world_.blobs().Open(blob.sha256());
      if (!reader.ok()) {
        Object(absl::StrCat(name, ": ", blob.file_name(), ": ", reader.status().ToString()));
        return;
      }
      files[blob.file_name()] = *(*reader)->Read(0, 1 << 20);
      if (Sha256Hex(files[blob.file_name()]) != blob.sha256()) {
        Object(absl::StrCat(name, ": ", blob.file_name(), " does not match its digest"));
      }
    }
    if (files["scales.safetensors"] != TrainedBytes(record.job.spec().seed(), kStepCount)) {
      Object(absl::StrCat(name, " has not the bytes of an unbroken attempt"));
    }
    const std::string& token = files["report.json"];
    const auto verdict = verdicts_.find(token);
    if (verdict != verdicts_.end() && !verdict->second.ok()) {
      Object(absl::StrCat(name, " shows a result that was refused"));
    }
    if (record.job.reused_from().empty() && record.completed_token != token) {
      Object(absl::StrCat(name, " shows another attempt's result"));
    }
  }

  // After a last start, which removes what a crash left.
  void CheckBlobs() {
    world_.StartCoordinator();
    if (world_.jobs().Stats()->count_by_state.empty()) return;  // then nothing is removed
    const std::vector<std::string> digests = *world_.blobs().List();
    for (const std::string& digest : digests) {
      if (referenced_.count(digest) == 0 && !*world_.jobs().IsBlobReferenced(digest)) {
        Object(absl::StrCat("blob ", digest, " is left over"));
      }
    }
  }

  static std::string IdOf(const ClientJob& job) {
    return job.name.empty() ? "none" : job.name.substr(5);
  }
  void Object(std::string violation) { outcome_.violations.push_back(std::move(violation)); }

  World world_;
  Verdicts verdicts_;
  std::deque<SimulatedWorker> workers_;  // late messages hold on to them
  std::vector<ClientJob> jobs_;
  std::set<std::string> referenced_;
  Outcome outcome_;
};

}  // namespace

Outcome Simulate(uint64_t seed, const std::string& folder) {
  return Simulation(seed, folder).Run();
}

}  // namespace sasq::simulation
