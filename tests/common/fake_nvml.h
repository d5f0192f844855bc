// What the fake management library answers; results are 0 for success.
#ifndef SASQ_TESTS_COMMON_FAKE_NVML_H_
#define SASQ_TESTS_COMMON_FAKE_NVML_H_

struct FakeNvml {
  int init_result = 0;
  int energy_result = 0;
  unsigned device_count = 1;
  unsigned long long millijoules = 0;
  int open_count = 0;  // initialized, and not shut down yet
};

// The library's one state.
extern "C" FakeNvml* FakeNvmlState();

#endif  // SASQ_TESTS_COMMON_FAKE_NVML_H_
