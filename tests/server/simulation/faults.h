// What goes wrong in a simulation, decided by one seeded generator.
#ifndef SASQ_TESTS_SERVER_SIMULATION_FAULTS_H_
#define SASQ_TESTS_SERVER_SIMULATION_FAULTS_H_

#include <cstdint>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc_status.h"

namespace sasq::simulation {

// How often things go wrong, per opportunity.
struct FaultRates {
  double crash_in_store = 0.004;     // the coordinator dies within a store operation
  double store_refuses = 0.02;       // an operation fails and did nothing
  double store_loses_answer = 0.01;  // it took effect, and fails all the same
  double lose_request = 0.04;
  double lose_answer = 0.04;
  double repeat_request = 0.04;  // it arrives twice
  double late_request = 0.04;    // the sender gives up, and it arrives later
  double worker_crash = 0.02;
  double worker_stall = 0.02;        // longer than a lease
  double worker_ignores_loss = 0.3;  // goes on although its lease is lost
  double clock_jump = 0.01;
};

class Faults {
 public:
  explicit Faults(uint64_t seed) : random_(seed) {}

  // Nothing goes wrong from now on.
  void Heal() { rates_ = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}; }
  const FaultRates& rates() const { return rates_; }

  bool Happens(double probability) {
    return probability > 0 && std::uniform_real_distribution<>(0, 1)(random_) < probability;
  }
  // low..high
  int64_t Pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }
  absl::Duration PickSeconds(int64_t low, int64_t high) {
    return absl::Milliseconds(Pick(low * 1000, high * 1000));
  }

  // Whether the coordinator's process has died: its stores take no more calls.
  bool coordinator_dead() const { return coordinator_dead_; }
  void KillCoordinator() { coordinator_dead_ = true; }
  void ReviveCoordinator() { coordinator_dead_ = false; }

  absl::Status BeforeStoreOperation() {
    if (Happens(rates_.crash_in_store)) coordinator_dead_ = true;
    if (coordinator_dead_ || Happens(rates_.store_refuses)) return StoreError();
    return absl::OkStatus();
  }
  absl::Status AfterStoreOperation() {
    if (Happens(rates_.crash_in_store)) coordinator_dead_ = true;
    if (coordinator_dead_ || Happens(rates_.store_loses_answer)) return StoreError();
    return absl::OkStatus();
  }

 private:
  static absl::Status StoreError() {
    return WithReason(absl::UnavailableError("simulated"), "STORE_UNAVAILABLE");
  }

  std::mt19937_64 random_;
  FaultRates rates_;
  bool coordinator_dead_ = false;
};

}  // namespace sasq::simulation

#endif  // SASQ_TESTS_SERVER_SIMULATION_FAULTS_H_
