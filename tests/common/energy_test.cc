#include "common/energy.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/common/fake_nvml.h"
#include "tests/support/temporary_folder.h"

namespace sasq {
namespace {

constexpr uint64_t kRange = 262'143'328'850;  // microjoules, as Intel's packages have it

// A powercap folder of our own.
class RaplTest : public ::testing::Test {
 protected:
  RaplTest() : clock_(absl::FromUnixSeconds(1'700'000'000)) {
    options_.powercap_folder = folder_.string();
    options_.clock = &clock_;
    Write("intel-rapl", "enabled", 1);  // the control type itself
  }

  template <typename Value>
  void Write(const std::string& domain, const std::string& file, const Value& value) {
    std::filesystem::create_directories(folder_ / domain);
    std::ofstream(folder_ / domain / file) << value << "\n";
  }

  void AddDomain(const std::string& domain, const std::string& name, uint64_t energy) {
    Write(domain, "name", name);
    Write(domain, "max_energy_range_uj", kRange);
    SetEnergy(domain, energy);
  }

  void SetEnergy(const std::string& domain, uint64_t energy) { Write(domain, "energy_uj", energy); }

  const TemporaryFolder temporary_;
  const std::filesystem::path folder_ = temporary_.path();
  ManualClock clock_;
  EnergyMeterOptions options_;
};

TEST_F(RaplTest, AddsUpPackagesAndLeavesTheirPartsOut) {
  AddDomain("intel-rapl:0", "package-0", 5'000'000);
  AddDomain("intel-rapl:1", "package-1", 7'000'000);
  AddDomain("intel-rapl:2", "psys", 1'000'000);
  AddDomain("intel-rapl:0:0", "dram", 1'000'000);
  AddDomain("intel-rapl-mmio:0", "package-0", 5'000'000);  // the same package, read another way
  EnergyMeter meter(options_);
  EXPECT_EQ(meter.Joules(), 0);
  SetEnergy("intel-rapl:0", 6'500'000);
  SetEnergy("intel-rapl:1", 7'250'000);
  for (const char* const other : {"intel-rapl:2", "intel-rapl:0:0", "intel-rapl-mmio:0"}) {
    SetEnergy(other, 90'000'000);
  }
  EXPECT_DOUBLE_EQ(meter.Joules().value(), 1.75);
  SetEnergy("intel-rapl:1", 8'250'000);
  EXPECT_DOUBLE_EQ(meter.Joules().value(), 2.75);
}

TEST_F(RaplTest, CountersWrapAround) {
  AddDomain("intel-rapl:0", "package-0", kRange - 1'000'000);
  EnergyMeter meter(options_);
  SetEnergy("intel-rapl:0", 2'000'000);
  EXPECT_NEAR(meter.Joules().value(), 3, 1e-6);
  SetEnergy("intel-rapl:0", 1'000'000);  // once more, nearly all the way
  EXPECT_NEAR(meter.Joules().value(), 3 + kRange * 1e-6 - 1, 1e-6);
}

TEST_F(RaplTest, APauseThatMayHideAWrapHasNoFigure) {
  AddDomain("intel-rapl:0", "package-0", 0);
  EnergyMeter meter(options_);
  for (int i = 0; i < 3; ++i) {
    clock_.Advance(absl::Seconds(262));  // 1 kW: 262 kJ
    EXPECT_TRUE(meter.Joules().has_value());
  }
  clock_.Advance(absl::Seconds(263));
  EXPECT_FALSE(meter.Joules().has_value());
  EXPECT_FALSE(meter.Joules().has_value());  // what was missed stays missed
}

TEST_F(RaplTest, AMachineWithoutPackagesHasNoFigure) {
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
  AddDomain("intel-rapl:0", "psys", 0);
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
  options_.powercap_folder = absl::StrCat(folder_.string(), "/absent");
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
}

TEST_F(RaplTest, APackageThatCannotBeReadHasNoFigure) {
  AddDomain("intel-rapl:0", "package-0", 0);
  for (const char* const file : {"name", "energy_uj", "max_energy_range_uj"}) {
    AddDomain("intel-rapl:1", "package-1", 0);
    EXPECT_TRUE(EnergyMeter(options_).Joules().has_value());
    std::filesystem::remove(folder_ / "intel-rapl:1" / file);
    EXPECT_FALSE(EnergyMeter(options_).Joules().has_value()) << file;
  }
}

TEST_F(RaplTest, AReadingThatFailsEndsTheMeasurement) {
  AddDomain("intel-rapl:0", "package-0", 0);
  for (const char* const broken : {"", "no number", "262143328851"}) {
    SetEnergy("intel-rapl:0", 0);
    EnergyMeter meter(options_);
    SetEnergy("intel-rapl:0", 1'000'000);
    EXPECT_EQ(meter.Joules(), 1);
    Write("intel-rapl:0", "energy_uj", broken);
    EXPECT_FALSE(meter.Joules().has_value()) << broken;
    SetEnergy("intel-rapl:0", 2'000'000);
    EXPECT_FALSE(meter.Joules().has_value());
  }
}

// The library that the test was built with.
class NvmlTest : public ::testing::Test {
 protected:
  NvmlTest() : library_(::dlopen(SASQ_FAKE_NVML, RTLD_NOW)) {
    if (library_ == nullptr) return;
    nvml_ = reinterpret_cast<decltype(&FakeNvmlState)>(::dlsym(library_, "FakeNvmlState"))();
    *nvml_ = FakeNvml();
    options_.cuda = true;
    options_.nvml_library = SASQ_FAKE_NVML;
  }
  ~NvmlTest() override {
    if (library_ != nullptr) ::dlclose(library_);
  }
  void SetUp() override { ASSERT_NE(library_, nullptr) << ::dlerror(); }

  void* const library_;
  FakeNvml* nvml_ = nullptr;
  EnergyMeterOptions options_;
};

TEST_F(NvmlTest, CountsFromTheStart) {
  nvml_->millijoules = 9'000'000'000'000;
  {
    EnergyMeter meter(options_);
    EXPECT_EQ(nvml_->open_count, 1);
    EXPECT_EQ(meter.Joules(), 0);
    nvml_->millijoules += 2'500;
    EXPECT_DOUBLE_EQ(meter.Joules().value(), 2.5);
  }
  EXPECT_EQ(nvml_->open_count, 0);
}

TEST_F(NvmlTest, WithoutOneDeviceThereIsNoFigure) {
  for (const unsigned count : {0u, 2u}) {
    nvml_->device_count = count;
    EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
    EXPECT_EQ(nvml_->open_count, 0);
  }
}

TEST_F(NvmlTest, ALibraryThatFailsHasNoFigure) {
  options_.nvml_library = "libsasq-absent.so.1";
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
  options_.nvml_library = "libm.so.6";  // a library without these functions
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
  options_.nvml_library = SASQ_FAKE_NVML;
  nvml_->energy_result = 3;  // NVML_ERROR_NOT_SUPPORTED
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
  nvml_->energy_result = 0;
  nvml_->init_result = 9;  // NVML_ERROR_DRIVER_NOT_LOADED
  EXPECT_FALSE(EnergyMeter(options_).Joules().has_value());
}

TEST_F(NvmlTest, ACounterThatBeginsAnewEndsTheMeasurement) {
  nvml_->millijoules = 5'000;
  EnergyMeter meter(options_);
  nvml_->millijoules = 1'000;  // the driver was loaded again
  EXPECT_FALSE(meter.Joules().has_value());
  nvml_->millijoules = 9'000;
  EXPECT_FALSE(meter.Joules().has_value());
}

}  // namespace
}  // namespace sasq
