// Deterministic simulation of a coordinator, workers and clients on a manual clock, with faults
// from one seed: crashes at any store operation, lost, repeated and late messages, store errors,
// workers that die, stall or ignore that they lost their lease, and clocks that jump.
#ifndef SASQ_TESTS_SERVER_SIMULATION_SIMULATION_H_
#define SASQ_TESTS_SERVER_SIMULATION_SIMULATION_H_

#include <cstdint>
#include <string>
#include <vector>

namespace sasq::simulation {

struct Outcome {
  std::vector<std::string> violations;  // of the invariants; empty: they hold
  int job_count = 0;                    // acknowledged
  int succeeded_count = 0;
  int reused_count = 0;  // of the succeeded ones
  int attempt_count = 0;
};

// Runs one seed on an empty `folder`. The invariants, once the faults are over: an acknowledged job
// is there; every job ends; attempts stay within the limit; a job that SUCCEEDED has one artifact,
// whose blobs are there, match their digests and are the bytes that an unbroken attempt gives; no
// result that was refused is visible; watchers never see a job go back; no blob is left over.
Outcome Simulate(uint64_t seed, const std::string& folder);

}  // namespace sasq::simulation

#endif  // SASQ_TESTS_SERVER_SIMULATION_SIMULATION_H_
