#include "common/resource_usage.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

namespace sasq {
namespace {

constexpr int64_t kBytes = int64_t{64} << 20;
// What else the process may take or give back meanwhile; the kernel counts pages in batches for
// each processor.
constexpr int64_t kSlack = int64_t{8} << 20;

// Makes as much memory resident and gives it back.
void UseMemory() {
  void* const memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                              /*fd=*/-1, /*offset=*/0);
  ASSERT_NE(memory, MAP_FAILED);
  std::memset(memory, 1, kBytes);
  ::munmap(memory, kBytes);
}

TEST(ResourceUsageTest, ThePeakIsRemembered) {
  UseMemory();
  EXPECT_GT(PeakMemoryBytes(), kBytes);
}

TEST(ResourceUsageTest, APeakCanBeForgotten) {
  UseMemory();
  const int64_t with_memory = PeakMemoryBytes();
  if (!ResetPeakMemory()) {
    EXPECT_GE(PeakMemoryBytes(), with_memory);
    GTEST_SKIP() << "this system keeps the peak";
  }
  const int64_t without = PeakMemoryBytes();
  EXPECT_LT(without, with_memory - kBytes + kSlack);
  UseMemory();
  EXPECT_GT(PeakMemoryBytes(), without + kBytes - kSlack);
}

TEST(ResourceUsageTest, ProcessorTimeGrowsWithWork) {
  const double before = ProcessCpuSeconds();
  while (ProcessCpuSeconds() < before + 0.01) UseMemory();
}

}  // namespace
}  // namespace sasq
