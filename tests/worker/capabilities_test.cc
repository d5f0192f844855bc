#include "worker/capabilities.h"

#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/file.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

// A folder with the files of a machine.
class CapabilitiesTest : public testing::Test {
 protected:
  void Write(const std::string& path, absl::string_view text) {
    const std::string whole = root_ + path;
    ASSERT_TRUE(MakeFolders(whole.substr(0, whole.rfind('/'))).ok());
    ASSERT_TRUE(WriteFileDurably(whole, text).ok());
  }

  const TemporaryFolder folder_;
  const std::string root_ = folder_.path() + "/";
};

TEST_F(CapabilitiesTest, EmptyMachine) {
  EXPECT_EQ(CpuName(root_), "unknown CPU");
  EXPECT_EQ(UsableMemoryBytes(root_), 0);
  EXPECT_EQ(UsableCpuCount(root_), std::max(1u, std::thread::hardware_concurrency()));
}

TEST_F(CapabilitiesTest, NameOfTheCpu) {
  Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Some CPU: fast @ 2.50GHz\nflags\t: fpu\n");
  EXPECT_EQ(CpuName(root_), "Some CPU: fast @ 2.50GHz");
}

TEST_F(CapabilitiesTest, MemoryOfTheMachine) {
  Write("proc/meminfo", "MemTotal:       1024 kB\nMemFree:   12 kB\n");
  EXPECT_EQ(UsableMemoryBytes(root_), 1024 * 1024);
}

TEST_F(CapabilitiesTest, LeastLimitOfControlGroupsVersion2) {
  Write("proc/meminfo", "MemTotal: 100000 kB\n");
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("sys/fs/cgroup/a/b/memory.max", "max\n");
  Write("sys/fs/cgroup/a/memory.max", "5000000\n");
  EXPECT_EQ(UsableMemoryBytes(root_), 5000000);
  Write("sys/fs/cgroup/memory.max", "4000000\n");  // the group of a container
  EXPECT_EQ(UsableMemoryBytes(root_), 4000000);
}

TEST_F(CapabilitiesTest, LimitOfControlGroupsVersion1) {
  Write("proc/meminfo", "MemTotal: 100000 kB\n");
  Write("proc/self/cgroup", "5:cpu:/x\n4:memory:/c\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(UsableMemoryBytes(root_), int64_t{100000} * 1024);
  Write("sys/fs/cgroup/memory/c/memory.limit_in_bytes", "7000000\n");
  EXPECT_EQ(UsableMemoryBytes(root_), 7000000);
}

TEST_F(CapabilitiesTest, QuotaOfCpus) {
  Write("sys/fs/cgroup/cpu.max", "max 100000\n");
  EXPECT_EQ(UsableCpuCount(root_), std::max(1u, std::thread::hardware_concurrency()));
  Write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(UsableCpuCount(root_), 1);
}

TEST_F(CapabilitiesTest, ThisMachine) {
  const v1::WorkerCapabilities capabilities = CpuCapabilities(2, "portable", 1e9);
  EXPECT_EQ(capabilities.device_kind(), v1::DEVICE_KIND_CPU);
  EXPECT_FALSE(capabilities.device_name().empty());
  EXPECT_GT(capabilities.memory_bytes(), 1 << 20);
  EXPECT_EQ(capabilities.thread_count(), 2);
  EXPECT_EQ(capabilities.kernel_path(), "portable");
  EXPECT_EQ(capabilities.float_flops_per_second(), 1e9);
}

}  // namespace
}  // namespace sasq
