// Runs CUDA kernels on the CPU: each thread of a block is a fiber, blocks run one after the other.
// Strict on purpose. Threads run in random order between two points where they wait. A warp
// operation or a barrier that not all threads reach ends the program with a message. Under
// -fsanitize=thread every fiber is a thread of its own that only a barrier orders after the others,
// so a missing barrier is a data race.
#ifndef SASQ_TESTS_KERNELS_CUDA_HOSTSIM_SIMULATOR_H_
#define SASQ_TESTS_KERNELS_CUDA_HOSTSIM_SIMULATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>

namespace sasq::kernels::hostsim {

struct Launch {
  int64_t grid_x = 1;
  int64_t grid_y = 1;
  int threads = 1;  // of a block; a multiple of 32
  size_t shared_bytes = 0;
  uint32_t seed = 1;  // of the order in which threads run
};

// Calls `kernel` for every thread of every block.
void Run(const Launch& launch, const std::function<void()>& kernel);

// What the running thread asks, as in device.cuh.
int ThreadIndex();
int ThreadCount();
int64_t BlockX();
int64_t BlockY();
int64_t GridX();
int64_t GridY();
float* DynamicShared();
void SyncBlock();
uint64_t ShuffleXor(uint64_t bits, int mask);

// Ends the program if `data` is not aligned to `bytes`.
void CheckAlignment(const void* data, size_t bytes);

}  // namespace sasq::kernels::hostsim

#endif  // SASQ_TESTS_KERNELS_CUDA_HOSTSIM_SIMULATOR_H_
