// Time spent in the INT8 kernels, by operator.
#ifndef SASQ_QUANT_OPS_KERNEL_TIME_H_
#define SASQ_QUANT_OPS_KERNEL_TIME_H_

#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace sasq::ops {

// Wall time in seconds of calls on the CPU, by operator, since the process started. Of the process,
// as its processor time is: the dispatcher hands no context to operators. Calls on CUDA only queue
// work and are not counted. Thread-safe.
std::vector<std::pair<absl::string_view, double>> KernelSeconds();

}  // namespace sasq::ops

#endif  // SASQ_QUANT_OPS_KERNEL_TIME_H_
