// The threads of this library: as many as the machine has, made where they are needed.
#ifndef SASQ_QUANT_EXPORT_THREADED_FOR_H_
#define SASQ_QUANT_EXPORT_THREADED_FOR_H_

#include <cstdint>

#include "kernels/parallel.h"

namespace sasq {

// A kernels::ParallelFor that splits [0, count) evenly over the machine's threads.
void ThreadedFor(int64_t count, kernels::RangeBody body);

}  // namespace sasq

#endif  // SASQ_QUANT_EXPORT_THREADED_FOR_H_
