// What this process has used so far, all threads together.
#ifndef SASQ_COMMON_RESOURCE_USAGE_H_
#define SASQ_COMMON_RESOURCE_USAGE_H_

#include <cstdint>

namespace sasq {

// Processor time, user and system, in seconds.
double ProcessCpuSeconds();

// Largest resident memory in bytes.
int64_t PeakMemoryBytes();

}  // namespace sasq

#endif  // SASQ_COMMON_RESOURCE_USAGE_H_
