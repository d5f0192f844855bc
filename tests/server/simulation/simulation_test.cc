// Seeds of the simulation. SASQ_SIMULATION_SEEDS says how many; a seed that fails is printed, and
// SASQ_SIMULATION_SEED runs it alone.
#include "tests/server/simulation/simulation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/log.h"
#include "tests/support/temporary_folder.h"

namespace sasq::simulation {
namespace {

// Memory where there is some: every commit of a store is flushed.
std::string FolderOfStores() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : testing::TempDir();
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  uint64_t value = 0;
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : otherwise;
}

TEST(SimulationTest, InvariantsHoldForEverySeed) {
  const uint64_t only = FromEnvironment("SASQ_SIMULATION_SEED", 0);
  const uint64_t last = only > 0 ? only : FromEnvironment("SASQ_SIMULATION_SEEDS", 500);
  ASSERT_TRUE(SetLogLevel(only > 0 ? "info" : "off").ok());
  Outcome total;
  for (uint64_t seed = only > 0 ? only : 1; seed <= last; ++seed) {
    const TemporaryFolder folder(FolderOfStores());
    const Outcome outcome = Simulate(seed, folder.path());
    total.job_count += outcome.job_count;
    total.succeeded_count += outcome.succeeded_count;
    total.reused_count += outcome.reused_count;
    total.attempt_count += outcome.attempt_count;
    EXPECT_TRUE(outcome.violations.empty())
        << "seed " << seed << ": " << absl::StrJoin(outcome.violations, "; ")
        << "\nreplay it with SASQ_SIMULATION_SEED=" << seed;
    if (testing::Test::HasFailure()) break;
  }
  ASSERT_TRUE(SetLogLevel("info").ok());
  std::printf("%d jobs, %d attempts, %d succeeded, %d of them with an earlier result\n",
              total.job_count, total.attempt_count, total.succeeded_count, total.reused_count);
  EXPECT_GT(total.succeeded_count, 0);
}

TEST(SimulationTest, ASeedGivesTheSameRunAgain) {
  ASSERT_TRUE(SetLogLevel("off").ok());
  const TemporaryFolder first(FolderOfStores()), second(FolderOfStores());
  const Outcome a = Simulate(7, first.path());
  const Outcome b = Simulate(7, second.path());
  EXPECT_EQ(a.job_count, b.job_count);
  EXPECT_EQ(a.succeeded_count, b.succeeded_count);
  EXPECT_EQ(a.attempt_count, b.attempt_count);
  ASSERT_TRUE(SetLogLevel("info").ok());
}

}  // namespace
}  // namespace sasq::simulation
