// How many threads the engine computes with, and how fast it multiplies.
#ifndef SASQ_QUANT_MODEL_COMPUTE_THREADS_H_
#define SASQ_QUANT_MODEL_COMPUTE_THREADS_H_

#include "absl/status/statusor.h"
#include "quant/model/compute_device.h"

namespace sasq {

// Threads of every tensor operation and INT8 kernel of this process, 1..256. Call it before the
// first computation. Results are the same bits from run to run for the same count; another count
// may change the last bits of float32 products.
void SetComputeThreads(int thread_count);
int ComputeThreads();

// Keeps up to 1 GiB of freed memory in the process: without it, the temporary tensors of every
// operation are fetched from the system page by page, a twentieth of the time of a forward pass.
void KeepFreedMemory();

// Whether CUDA devices can be used: LibTorch's CUDA half is in this process and sees one.
bool LibTorchHasCuda();

// Makes LibTorch's CUDA operators give the same bits from run to run on one kind of device:
// attention by plain products and no sums by atomics. LibTorch warns of an operator that has no
// such form. Call it before the first computation on a device.
void UseDeterministicCuda();

// Speed of the float32 matrix product on `device` in operations per second, measured in about a
// tenth of a second; on the CPU with the present number of threads.
absl::StatusOr<double> MeasureFloatFlopsPerSecond(ComputeDevice device);

}  // namespace sasq

#endif  // SASQ_QUANT_MODEL_COMPUTE_THREADS_H_
