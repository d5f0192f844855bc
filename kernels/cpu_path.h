// Which instructions the CPU kernels use. Every path gives the same integers.
#ifndef SASQ_KERNELS_CPU_PATH_H_
#define SASQ_KERNELS_CPU_PATH_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sasq::kernels {

// From plain to fast.
enum class CpuPath { kPortable, kAvx2, kAvx512, kAvx512Vnni };

// `portable`, `avx2`, `avx512` or `avx512_vnni`.
absl::string_view CpuPathName(CpuPath path);

// The paths that this CPU can run, plain to fast.
std::vector<CpuPath> AvailableCpuPaths();

// The fastest available path, or the one that the environment variable SASQ_KERNEL_PATH names.
// INVALID_ARGUMENT if that name is unknown, FAILED_PRECONDITION if this CPU cannot run it.
absl::StatusOr<CpuPath> SelectCpuPath();

// Compares `path` with a 64-bit reference on shapes and values that find known faults of INT8
// products (saturation in 16 bits, sign mixes, ragged edges), and every other operation with its
// scalar definition. INTERNAL if an integer differs: do not serve on this machine. Takes a few
// milliseconds.
absl::Status SelfTest(CpuPath path);

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CPU_PATH_H_
