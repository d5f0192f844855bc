// Energy from the machine's own counters. Where it has none that this process may read, there is no
// figure: nothing is estimated.
#ifndef SASQ_COMMON_ENERGY_H_
#define SASQ_COMMON_ENERGY_H_

#include <memory>
#include <optional>
#include <string>

#include "common/clock.h"

namespace sasq {

class EnergyCounter;

struct EnergyMeterOptions {
  // The work is done by the machine's CUDA device: NVML counts (Volta and newer), the board with
  // its memory. A machine with several NVIDIA devices has no figure: NVML numbers them in another
  // order than CUDA does. Else the processor does the work, and RAPL counts, all packages together
  // (Intel's and AMD's; Linux lets nobody but root read it unless told to).
  bool cuda = false;
  // Linux's power capping framework (Documentation/power/powercap).
  std::string powercap_folder = "/sys/class/powercap";
  std::string nvml_library = "libnvidia-ml.so.1";
  const Clock* clock = Clock::Real();
};

// What the device takes from construction on, together with everything else that runs on it. One
// thread.
class EnergyMeter {
 public:
  explicit EnergyMeter(const EnergyMeterOptions& options);
  ~EnergyMeter();
  EnergyMeter(const EnergyMeter&) = delete;
  EnergyMeter& operator=(const EnergyMeter&) = delete;

  // Joules since construction; nothing where the machine cannot tell, from the first reading that
  // failed on. RAPL's counters begin anew without a trace, some after 65 kJ: call this every half
  // minute. A pause in which a counter may have gone round, at 1 kW, counts as a failed reading.
  std::optional<double> Joules();

 private:
  std::unique_ptr<EnergyCounter> counter_;  // null from the first failure on
  double start_joules_ = 0;
};

}  // namespace sasq

#endif  // SASQ_COMMON_ENERGY_H_
