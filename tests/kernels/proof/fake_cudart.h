// A CUDA runtime without a device: what compiled CUDA code and CUTLASS' adapters call, for the
// device that SetFakeDevice describes. Launches are recorded, not run.
#ifndef SASQ_TESTS_KERNELS_PROOF_FAKE_CUDART_H_
#define SASQ_TESTS_KERNELS_PROOF_FAKE_CUDART_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sasq::kernels {

struct FakeDevice {
  int compute_capability = 80;  // 10 * major + minor
  int multiprocessors = 108;
  int max_shared_bytes = 166912;  // of a block that asks for more than 48 KiB
};

struct RecordedLaunch {
  std::string kernel;  // mangled name
  std::array<unsigned, 3> grid;
  std::array<unsigned, 3> block;
  int64_t shared_bytes;        // dynamic
  int64_t shared_limit_bytes;  // dynamic, as set by cudaFuncSetAttribute
  uint64_t stream;
  std::vector<std::vector<uint8_t>> arguments;  // one for each parameter
};

// Sizes in bytes of each kernel's parameters; a launch of a kernel that is not here ends the
// program.
using ParameterSizes = std::map<std::string, std::vector<int64_t>>;

void SetFakeDevice(const FakeDevice& device, const ParameterSizes& sizes);

// What was launched since the last call.
std::vector<RecordedLaunch> TakeLaunches();

}  // namespace sasq::kernels

#endif  // SASQ_TESTS_KERNELS_PROOF_FAKE_CUDART_H_
