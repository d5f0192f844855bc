// The coordinator's process in a simulation, and the network that leads to it. One thread.
#ifndef SASQ_TESTS_SERVER_SIMULATION_WORLD_H_
#define SASQ_TESTS_SERVER_SIMULATION_WORLD_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "server/coordinator.h"
#include "server/folder_blob_store.h"
#include "server/lease_manager.h"
#include "server/sqlite_job_store.h"
#include "tests/server/simulation/faults.h"
#include "tests/server/simulation/faulty_stores.h"

namespace sasq::simulation {

// Sees what watchers would see, and objects when a job goes back in time.
class WatchedJobs final : public JobEvents {
 public:
  void OnJobChanged(std::shared_ptr<const v1::Job> job) override;
  void OnJobLogGrew(absl::string_view) override {}
  void OnJobDeleted(absl::string_view) override {}
  void OnJobQueued() override {}
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  std::map<std::string, v1::Job> latest_;
  std::vector<std::string> violations_;
};

class World {
 public:
  static constexpr absl::Duration kLease = absl::Seconds(30);

  World(const std::string& folder, uint64_t seed);

  Faults& faults() { return faults_; }
  ManualClock& clock() { return clock_; }
  const WatchedJobs& watched() const { return watched_; }
  // The stores as they are, without faults.
  JobStore& jobs() { return *job_store_; }
  BlobStore& blobs() { return *blob_store_; }

  // Calls what is only there while the process lives.
  Coordinator& coordinator() { return *coordinator_; }
  LeaseManager& leases() { return *leases_; }

  // Starts a process on what the stores hold. May die on the way.
  void StartCoordinator();
  // Starts one if there is none and its time has come; ticks; delivers late messages.
  void Turn();

  // A call over the network. `run` may be executed never, once or twice, now or later; the caller
  // hears UNAVAILABLE where the answer is lost or the process died on the way.
  template <typename Answer>
  absl::StatusOr<Answer> Call(std::function<absl::StatusOr<Answer>()> run) {
    const FaultRates& rates = faults_.rates();
    if (faults_.Happens(rates.lose_request) || !is_up()) return Lost();
    if (faults_.Happens(rates.late_request)) {
      late_.emplace_back(clock_.Now() + faults_.PickSeconds(0, 90), [run] { (void)run(); });
      return Lost();
    }
    if (faults_.Happens(rates.repeat_request)) {
      (void)run();
      if (!is_up()) return Lost();
    }
    absl::StatusOr<Answer> answer = run();
    if (!is_up() || faults_.Happens(rates.lose_answer)) return Lost();
    return answer;
  }

 private:
  bool is_up() const { return leases_ != nullptr && !faults_.coordinator_dead(); }
  static absl::Status Lost() { return absl::UnavailableError("lost on the way"); }

  Faults faults_;
  ManualClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  MetricRegistry registry_;
  ServerMetrics metrics_{registry_};
  WatchedJobs watched_;
  const std::string job_path_;
  std::unique_ptr<SqliteJobStore> job_store_;
  const std::unique_ptr<FolderBlobStore> blob_store_;
  FaultyBlobStore faulty_blobs_;
  std::vector<std::pair<absl::Time, std::function<void()>>> late_;
  absl::Time next_start_ = absl::InfinitePast();

  // The process. All null while there is none.
  std::unique_ptr<FaultyJobStore> faulty_jobs_;
  std::unique_ptr<WorkerRegistry> workers_;
  std::unique_ptr<BlobKeeper> keeper_;
  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<LeaseManager> leases_;
};

}  // namespace sasq::simulation

#endif  // SASQ_TESTS_SERVER_SIMULATION_WORLD_H_
