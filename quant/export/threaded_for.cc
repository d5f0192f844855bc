#include "quant/export/threaded_for.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace sasq {

void ThreadedFor(int64_t count, kernels::RangeBody body) {
  if (count <= 0) return;
  const int64_t machine_threads = std::max<int64_t>(1, std::thread::hardware_concurrency());
  const int64_t parts = std::min(count, machine_threads);
  std::vector<std::thread> threads;
  for (int64_t part = 1; part < parts; ++part) {
    threads.emplace_back([=] { body(count * part / parts, count * (part + 1) / parts); });
  }
  body(0, count / parts);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace sasq
