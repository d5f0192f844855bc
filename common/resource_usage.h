// What this process has used so far, all threads together.
#ifndef SASQ_COMMON_RESOURCE_USAGE_H_
#define SASQ_COMMON_RESOURCE_USAGE_H_

#include <cstdint>

namespace sasq {

// Processor time, user and system, in seconds.
double ProcessCpuSeconds();

// Largest resident memory in bytes since the process began or since the last ResetPeakMemory.
int64_t PeakMemoryBytes();

// Makes what is resident now the peak. False where the system refuses; the peak then stays.
bool ResetPeakMemory();

}  // namespace sasq

#endif  // SASQ_COMMON_RESOURCE_USAGE_H_
