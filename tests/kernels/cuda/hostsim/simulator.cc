// Compiled without sanitizers, as they must not see the scheduler switch stacks; it tells them by
// their interfaces (SASQ_HOSTSIM_ASAN, SASQ_HOSTSIM_TSAN).
#include "tests/kernels/cuda/hostsim/simulator.h"

#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#ifdef SASQ_HOSTSIM_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef SASQ_HOSTSIM_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace sasq::kernels::hostsim {
namespace {

constexpr size_t kStackBytes = 128 * 1024;
constexpr int kWarpThreads = 32;
constexpr int kMaxThreads = 1024;
constexpr unsigned char kPoison = 0x7B;  // shared memory that was not written

enum class State { kReady, kAtBarrier, kAtShuffle, kDone };

struct Fiber {
  ucontext_t context;
  std::unique_ptr<std::byte[]> stack;
  State state = State::kReady;
  int barriers = 0;   // passed or waited for
  uint64_t bits = 0;  // given to, then got from a shuffle
  int mask = 0;
  void* tsan_fiber = nullptr;
  void* asan_stack = nullptr;
};

struct Block {
  const Launch* launch;
  const std::function<void()>* kernel;
  int64_t x, y;
  std::unique_ptr<std::byte[]> shared;
  Fiber* fibers;
  ucontext_t scheduler;
  void* tsan_scheduler = nullptr;
  void* asan_stack = nullptr;
  // What orders threads, for TSan: two barriers in turn, so that a thread on its way to the next
  // one does not order those that still leave the last.
  char start = 0;
  char end = 0;
  char barriers[2] = {};
};

Block* block = nullptr;
Fiber* self = nullptr;

#ifdef SASQ_HOSTSIM_ASAN
// The stack that the scheduler runs on.
const void* scheduler_stack = nullptr;
size_t scheduler_stack_bytes = 0;
#endif

[[noreturn]] void Die(const char* message) {
  std::fprintf(stderr, "hostsim: %s (block %lld, %lld)\n", message,
               static_cast<long long>(block->x), static_cast<long long>(block->y));
  std::abort();
}

void Release(char* object) {
#ifdef SASQ_HOSTSIM_TSAN
  __tsan_release(object);
#endif
}

void Acquire(char* object) {
#ifdef SASQ_HOSTSIM_TSAN
  __tsan_acquire(object);
#endif
}

// From the running thread to the scheduler, until that resumes it.
void Yield(State state) {
  self->state = state;
#ifdef SASQ_HOSTSIM_TSAN
  __tsan_switch_to_fiber(block->tsan_scheduler, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef SASQ_HOSTSIM_ASAN
  __sanitizer_start_switch_fiber(&self->asan_stack, scheduler_stack, scheduler_stack_bytes);
#endif
  swapcontext(&self->context, &block->scheduler);
#ifdef SASQ_HOSTSIM_ASAN
  __sanitizer_finish_switch_fiber(self->asan_stack, nullptr, nullptr);
#endif
}

void Resume(Fiber* fiber) {
  self = fiber;
#ifdef SASQ_HOSTSIM_TSAN
  __tsan_switch_to_fiber(fiber->tsan_fiber, __tsan_switch_to_fiber_no_sync);
#endif
#ifdef SASQ_HOSTSIM_ASAN
  __sanitizer_start_switch_fiber(&block->asan_stack, fiber->stack.get(), kStackBytes);
#endif
  swapcontext(&block->scheduler, &fiber->context);
#ifdef SASQ_HOSTSIM_ASAN
  __sanitizer_finish_switch_fiber(block->asan_stack, nullptr, nullptr);
#endif
}

// Runs a kernel each time that it is resumed after a block began.
void FiberMain() {
#ifdef SASQ_HOSTSIM_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_stack_bytes);
#endif
  for (;;) {
    Acquire(&block->start);
    (*block->kernel)();
    Release(&block->end);
    Yield(State::kDone);
  }
}

void CreateFiber(Fiber* fiber) {
  fiber->stack.reset(new std::byte[kStackBytes]);
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack.get();
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, FiberMain, 0);
#ifdef SASQ_HOSTSIM_TSAN
  fiber->tsan_fiber = __tsan_create_fiber(0);
#endif
}

// The fibers of a block. They are made once: making them is slow under TSan.
Fiber* Fibers(int threads) {
  static Fiber* const fibers = new Fiber[kMaxThreads];
  if (threads > kMaxThreads || threads % kWarpThreads != 0) Die("a bad number of threads");
  for (int i = 0; i < threads; ++i) {
    if (!fibers[i].stack) CreateFiber(&fibers[i]);
    fibers[i].state = State::kReady;
    fibers[i].barriers = 0;
  }
  return fibers;
}

// Exchanges the values of a warp whose threads all wait for it. Returns whether they do.
bool ResolveShuffle(Fiber* warp) {
  uint64_t bits[kWarpThreads];
  for (int lane = 0; lane < kWarpThreads; ++lane) {
    if (warp[lane].state != State::kAtShuffle) return false;
    bits[lane] = warp[lane].bits;
  }
  for (int lane = 0; lane < kWarpThreads; ++lane) {
    if (warp[lane].mask != warp[0].mask) Die("the lanes of a warp shuffle with different masks");
    warp[lane].bits = bits[lane ^ warp[lane].mask];
    warp[lane].state = State::kReady;
  }
  return true;
}

int CountOf(State state) {
  int count = 0;
  for (int i = 0; i < block->launch->threads; ++i) count += block->fibers[i].state == state;
  return count;
}

// Lets waiting threads go on where all that they wait for have come. Returns whether any can.
bool Resolve() {
  const int threads = block->launch->threads;
  bool resolved = false;
  for (int warp = 0; warp < threads; warp += kWarpThreads) {
    resolved |= ResolveShuffle(block->fibers + warp);
  }
  if (CountOf(State::kAtBarrier) == threads) {
    for (int i = 0; i < threads; ++i) block->fibers[i].state = State::kReady;
    resolved = true;
  }
  return resolved;
}

// The next value of a small generator (Numerical Recipes' constants).
uint32_t Next(uint32_t* state) { return *state = *state * 1664525u + 1013904223u; }

void RunBlock(uint32_t* random) {
  const int threads = block->launch->threads;
  const std::unique_ptr<int[]> order(new int[static_cast<size_t>(threads)]);
  for (int i = 0; i < threads; ++i) order[static_cast<size_t>(i)] = i;
  Release(&block->start);
  while (CountOf(State::kDone) < threads) {
    for (int i = threads - 1; i > 0; --i) {
      const uint32_t other = (Next(random) >> 8) % static_cast<uint32_t>(i + 1);
      std::swap(order[static_cast<size_t>(i)], order[other]);
    }
    bool ran = false;
    for (int i = 0; i < threads; ++i) {
      Fiber* fiber = block->fibers + order[static_cast<size_t>(i)];
      if (fiber->state != State::kReady) continue;
      Resume(fiber);
      ran = true;
    }
    if (!Resolve() && !ran) Die("a barrier or a shuffle that not all threads reach");
  }
  Acquire(&block->end);
}

}  // namespace

void Run(const Launch& launch, const std::function<void()>& kernel) {
  uint32_t random = launch.seed;
  for (int64_t y = 0; y < launch.grid_y; ++y) {
    for (int64_t x = 0; x < launch.grid_x; ++x) {
      Block current;
      current.launch = &launch;
      current.kernel = &kernel;
      current.x = x;
      current.y = y;
      current.shared.reset(new std::byte[launch.shared_bytes]);
      std::memset(current.shared.get(), kPoison, launch.shared_bytes);
#ifdef SASQ_HOSTSIM_TSAN
      current.tsan_scheduler = __tsan_get_current_fiber();
#endif
      block = &current;
      current.fibers = Fibers(launch.threads);
      RunBlock(&random);
    }
  }
  block = nullptr;
  self = nullptr;
}

int ThreadIndex() { return static_cast<int>(self - block->fibers); }
int ThreadCount() { return block->launch->threads; }
int64_t BlockX() { return block->x; }
int64_t BlockY() { return block->y; }
int64_t GridX() { return block->launch->grid_x; }
int64_t GridY() { return block->launch->grid_y; }
float* DynamicShared() { return reinterpret_cast<float*>(block->shared.get()); }

void SyncBlock() {
  char* barrier = &block->barriers[self->barriers++ % 2];
  Release(barrier);
  Yield(State::kAtBarrier);
  Acquire(barrier);
}

uint64_t ShuffleXor(uint64_t bits, int mask) {
  self->bits = bits;
  self->mask = mask;
  Yield(State::kAtShuffle);
  return self->bits;
}

void CheckAlignment(const void* data, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(data) % bytes != 0) Die("a misaligned access");
}

}  // namespace sasq::kernels::hostsim
