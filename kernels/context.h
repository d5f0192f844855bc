// Where a kernel runs. Every operation has an overload for each context and gives the same integers
// on both.
#ifndef SASQ_KERNELS_CONTEXT_H_
#define SASQ_KERNELS_CONTEXT_H_

#include "kernels/cpu_path.h"
#include "kernels/parallel.h"

namespace sasq::kernels {

// The calling thread and those of `parallel_for`, which must outlive the context. Operations are
// done when they return.
struct CpuContext {
  CpuPath path;
  ParallelFor parallel_for;
};

// A CUDA device and a stream on it (a cudaStream_t; null is the default stream). Pointers to
// matrices, codes and scales are to memory of that device. Operations are queued when they return:
// the status says whether arguments and launch were right, later faults show at the next
// synchronization. UNIMPLEMENTED in a build without CUDA.
struct CudaContext {
  int device = 0;
  void* stream = nullptr;
};

}  // namespace sasq::kernels

#endif  // SASQ_KERNELS_CONTEXT_H_
