// A stand-in for NVIDIA's management library, with as many devices and as much energy as a test
// says.
#include "tests/common/fake_nvml.h"

namespace {

FakeNvml state;

}  // namespace

extern "C" {

FakeNvml* FakeNvmlState() { return &state; }

int nvmlInit_v2() {
  ++state.open_count;
  return state.init_result;
}

int nvmlShutdown() {
  --state.open_count;
  return 0;
}

int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = state.device_count;
  return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = &state;
  return index < state.device_count ? 0 : 2;
}

int nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
  *millijoules = static_cast<FakeNvml*>(device)->millijoules;
  return state.energy_result;
}

}  // extern "C"
