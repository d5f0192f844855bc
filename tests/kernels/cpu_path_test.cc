#include "kernels/cpu_path.h"

#include <cstdlib>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernels/testing_parallel.h"

namespace sasq::kernels {
namespace {

using testing::HasSubstr;

// Sets SASQ_KERNEL_PATH and puts the old value back.
class ScopedPathVariable {
 public:
  explicit ScopedPathVariable(const char* value) {
    if (const char* old = std::getenv(kName)) old_ = old;
    if (value == nullptr) {
      unsetenv(kName);
    } else {
      setenv(kName, value, 1);
    }
  }
  ~ScopedPathVariable() {
    if (old_.empty()) {
      unsetenv(kName);
    } else {
      setenv(kName, old_.c_str(), 1);
    }
  }

 private:
  static constexpr char kName[] = "SASQ_KERNEL_PATH";
  std::string old_;
};

TEST(CpuPathTest, PortableIsAlwaysAvailable) {
  EXPECT_EQ(AvailableCpuPaths().front(), CpuPath::kPortable);
}

TEST(CpuPathTest, FastestIsTheDefault) {
  for (const char* unset : {static_cast<const char*>(nullptr), ""}) {
    const ScopedPathVariable variable(unset);
    const auto path = SelectCpuPath();
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_EQ(*path, AvailableCpuPaths().back());
  }
}

TEST(CpuPathTest, EveryNameForcesItsPath) {
  const auto available = AvailableCpuPaths();
  for (CpuPath want :
       {CpuPath::kPortable, CpuPath::kAvx2, CpuPath::kAvx512, CpuPath::kAvx512Vnni}) {
    const std::string name(CpuPathName(want));
    const ScopedPathVariable variable(name.c_str());
    const auto path = SelectCpuPath();
    if (testing::Value(available, testing::Contains(want))) {
      ASSERT_TRUE(path.ok()) << path.status();
      EXPECT_EQ(*path, want);
    } else {
      EXPECT_EQ(path.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_THAT(path.status().message(), HasSubstr(name));
    }
  }
}

TEST(CpuPathTest, UnknownNameIsRefusedWithTheKnownOnes) {
  const ScopedPathVariable variable("sse9");
  const auto path = SelectCpuPath();
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(path.status().message(), HasSubstr("sse9"));
  EXPECT_THAT(path.status().message(), HasSubstr("avx512_vnni"));
}

TEST_P(PathTest, SelfTestPasses) {
  const absl::Status status = SelfTest(GetParam());
  EXPECT_TRUE(status.ok()) << status;
}

INSTANTIATE_TEST_SUITE_P(Paths, PathTest, testing::ValuesIn(AvailableCpuPaths()), PathParamName);

}  // namespace
}  // namespace sasq::kernels
