// LibTorch's threads for the kernels.
#ifndef SASQ_QUANT_OPS_PARALLEL_FOR_H_
#define SASQ_QUANT_OPS_PARALLEL_FOR_H_

#include "kernels/parallel.h"

namespace sasq::ops {

// A kernels::ParallelFor on the threads that LibTorch's own operators use.
void TorchParallelFor(int64_t count, kernels::RangeBody body);

}  // namespace sasq::ops

#endif  // SASQ_QUANT_OPS_PARALLEL_FOR_H_
