// How many threads the engine computes with, and how fast it multiplies.
#ifndef SASQ_QUANT_MODEL_COMPUTE_THREADS_H_
#define SASQ_QUANT_MODEL_COMPUTE_THREADS_H_

#include "kernels/parallel.h"

namespace sasq {

// Threads of every tensor operation and INT8 kernel of this process, 1..256. Call it before the
// first computation. Results are the same bits from run to run for the same count; another count
// may change the last bits of float32 products.
void SetComputeThreads(int thread_count);
int ComputeThreads();

// A kernels::ParallelFor on those threads.
void ComputeParallelFor(int64_t count, kernels::RangeBody body);

// Speed of the float32 matrix product in operations per second, measured in about a tenth of a
// second on the present number of threads.
double MeasureFloatFlopsPerSecond();

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_COMPUTE_THREADS_H_
