// A worker of a simulation: it leases, "trains" step by step, reports, dies, stalls, gives back and
// completes, like worker/worker.h without its threads.
#ifndef SASQ_TESTS_SERVER_SIMULATION_SIMULATED_WORKER_H_
#define SASQ_TESTS_SERVER_SIMULATION_SIMULATED_WORKER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "tests/server/simulation/world.h"

namespace sasq::simulation {

inline constexpr int kStepCount = 6;  // of a job

// What a job computes: the same bytes whoever computes them, in one go or from a checkpoint.
std::string TrainedBytes(int64_t seed, int step_count);

// What workers were told of the results that they sent, by lease token.
using Verdicts = std::map<std::string, absl::Status>;

class SimulatedWorker {
 public:
  SimulatedWorker(std::string id, v1::DeviceKind device_kind, World& world, Verdicts& verdicts)
      : id_(std::move(id)), device_kind_(device_kind), world_(world), verdicts_(verdicts) {}

  // Does one thing.
  void Act();
  // From now on it is well.
  void Heal() { stalled_until_ = absl::InfinitePast(); }

 private:
  void Register();
  void Lease();
  void Work();
  void Beat();
  void Finish();
  void Die();
  // Sends an outcome until somebody has an answer to it.
  void Deliver();

  const std::string id_;
  const v1::DeviceKind device_kind_;
  World& world_;
  Verdicts& verdicts_;

  int instance_ = 1;
  bool registered_ = false;
  absl::Time stalled_until_ = absl::InfinitePast();
  std::optional<dispatch::v1::Task> task_;
  int step_ = 0;
  bool lost_ = false;  // it was told so, and goes on all the same
  std::optional<dispatch::v1::CompleteTaskRequest> outcome_;  // on its way
};

}  // namespace sasq::simulation

#endif  // SASQ_TESTS_SERVER_SIMULATION_SIMULATED_WORKER_H_
