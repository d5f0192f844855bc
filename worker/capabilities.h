// What this machine offers a task: read once, when the worker starts.
#ifndef SASQ_WORKER_CAPABILITIES_H_
#define SASQ_WORKER_CAPABILITIES_H_

#include <cstdint>
#include <string>

#include "sasq/v1/quantization_service.pb.h"

namespace sasq {

// `root`: where /proc and /sys are looked for; other than "/" in tests.

// The CPU's model name from /proc/cpuinfo, at most 256 bytes; "unknown CPU" if it does not tell.
std::string CpuName(const std::string& root = "/");

// Memory that this process may use: the machine's, or the least limit of its control groups
// (version 1 or 2) if that is less. 0 if nothing tells.
int64_t UsableMemoryBytes(const std::string& root = "/");

// Processors that this process may use, at least 1: the least of what it may be scheduled on and
// its control groups' (version 2) quota, rounded up.
int UsableCpuCount(const std::string& root = "/");

// A CPU worker's capabilities. `kernel_path` such as `avx512_vnni`.
v1::WorkerCapabilities CpuCapabilities(int thread_count, const std::string& kernel_path,
                                       double float_flops_per_second);

// `cpu` or `cuda`.
std::string DeviceKindName(const v1::WorkerCapabilities& capabilities);

}  // namespace sasq

#endif  // SASQ_WORKER_CAPABILITIES_H_
