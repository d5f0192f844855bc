#include "common/energy.h"

#include <dlfcn.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"

namespace sasq {

// Counts from some moment in the past on.
class EnergyCounter {
 public:
  virtual ~EnergyCounter() = default;
  // Joules; nothing if that cannot be told.
  virtual std::optional<double> Joules() = 0;
};

namespace {

// More than a package takes.
constexpr double kMostWatts = 1000;

template <typename Value>
std::optional<Value> ReadValue(const std::filesystem::path& path) {
  std::ifstream file(path);
  Value value;
  if (!(file >> value)) return std::nullopt;
  return value;
}

// Running Average Power Limit: one domain for each processor package, `intel-rapl:N`, also on AMD.
class RaplCounter final : public EnergyCounter {
 public:
  // Null if there is no package, or one cannot be read.
  static std::unique_ptr<RaplCounter> Create(const EnergyMeterOptions& options) {
    auto counter = std::unique_ptr<RaplCounter>(new RaplCounter(options.clock));
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(options.powercap_folder, error)) {
      const std::string folder = entry.path().filename().string();
      // Parts of a package, such as `intel-rapl:0:1`, are counted in it.
      if (!absl::StartsWith(folder, "intel-rapl:") || folder.rfind(':') != folder.find(':')) {
        continue;
      }
      const auto name = ReadValue<std::string>(entry.path() / "name");
      if (!name.has_value()) return nullptr;
      // `psys`, the whole platform, has the packages in it.
      if (!absl::StartsWith(*name, "package")) continue;
      if (!counter->AddPackage(entry.path())) return nullptr;
    }
    return counter->packages_.empty() ? nullptr : std::move(counter);
  }

  std::optional<double> Joules() override {
    const absl::Time now = clock_->Now();
    const double most_microjoules = absl::ToDoubleSeconds(now - last_time_) * kMostWatts * 1e6;
    last_time_ = now;
    for (Package& package : packages_) {
      const auto energy = ReadValue<uint64_t>(package.path);
      if (!energy.has_value() || *energy > package.range) return std::nullopt;
      if (most_microjoules >= static_cast<double>(package.range)) return std::nullopt;
      const uint64_t wrapped = *energy < package.last ? package.range : 0;
      microjoules_ += *energy + wrapped - package.last;
      package.last = *energy;
    }
    return static_cast<double>(microjoules_) * 1e-6;
  }

 private:
  struct Package {
    std::filesystem::path path;
    uint64_t range = 0;  // microjoules; the counter goes on from 0 there
    uint64_t last = 0;   // reading in microjoules
  };

  explicit RaplCounter(const Clock* clock) : clock_(clock), last_time_(clock->Now()) {}

  bool AddPackage(const std::filesystem::path& folder) {
    const auto range = ReadValue<uint64_t>(folder / "max_energy_range_uj");
    const auto energy = ReadValue<uint64_t>(folder / "energy_uj");
    if (!range.has_value() || !energy.has_value()) return false;
    packages_.push_back({folder / "energy_uj", *range, *energy});
    return true;
  }

  const Clock* const clock_;
  absl::Time last_time_;
  std::vector<Package> packages_;
  uint64_t microjoules_ = 0;
};

// The NVIDIA Management Library, which comes with the driver (NVML API reference).
class NvmlCounter final : public EnergyCounter {
 public:
  // Null without the library, or unless it knows exactly one device.
  static std::unique_ptr<NvmlCounter> Create(const std::string& library) {
    void* const handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return nullptr;
    auto counter = std::unique_ptr<NvmlCounter>(new NvmlCounter(handle));
    return counter->Initialize() ? std::move(counter) : nullptr;
  }

  ~NvmlCounter() override {
    if (shutdown_ != nullptr) shutdown_();
    ::dlclose(library_);
  }

  std::optional<double> Joules() override {
    unsigned long long millijoules = 0;
    if (total_energy_(device_, &millijoules) != kSuccess) return std::nullopt;
    return static_cast<double>(millijoules) * 1e-3;
  }

 private:
  // nvml.h: nvmlReturn_t is an enum, nvmlDevice_t a pointer.
  static constexpr int kSuccess = 0;
  using Device = void*;

  explicit NvmlCounter(void* library) : library_(library) {}

  template <typename Function>
  Function* Find(const char* name) const {
    return reinterpret_cast<Function*>(::dlsym(library_, name));
  }

  bool Initialize() {
    const auto initialize = Find<int()>("nvmlInit_v2");
    const auto shutdown = Find<int()>("nvmlShutdown");
    const auto get_count = Find<int(unsigned*)>("nvmlDeviceGetCount_v2");
    const auto get_device = Find<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
    total_energy_ = Find<int(Device, unsigned long long*)>("nvmlDeviceGetTotalEnergyConsumption");
    if (initialize == nullptr || shutdown == nullptr || get_count == nullptr ||
        get_device == nullptr || total_energy_ == nullptr || initialize() != kSuccess) {
      return false;
    }
    shutdown_ = shutdown;
    unsigned count = 0;
    return get_count(&count) == kSuccess && count == 1 && get_device(0, &device_) == kSuccess;
  }

  void* const library_;
  int (*shutdown_)() = nullptr;  // null until NVML is initialized
  int (*total_energy_)(Device, unsigned long long*) = nullptr;
  Device device_ = nullptr;
};

std::unique_ptr<EnergyCounter> MakeCounter(const EnergyMeterOptions& options) {
  if (options.cuda) return NvmlCounter::Create(options.nvml_library);
  return RaplCounter::Create(options);
}

}  // namespace

EnergyMeter::EnergyMeter(const EnergyMeterOptions& options) : counter_(MakeCounter(options)) {
  start_joules_ = Joules().value_or(0);
}
EnergyMeter::~EnergyMeter() = default;

std::optional<double> EnergyMeter::Joules() {
  if (counter_ == nullptr) return std::nullopt;
  const std::optional<double> joules = counter_->Joules();
  if (!joules.has_value() || *joules < start_joules_) {
    counter_.reset();
    return std::nullopt;
  }
  return *joules - start_joules_;
}

}  // namespace sasq
