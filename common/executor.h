// A bounded pool of threads for work that may block (stores, files), so that gRPC's own threads
// never do.
#ifndef SASQ_COMMON_EXECUTOR_H_
#define SASQ_COMMON_EXECUTOR_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "common/mutex.h"

namespace sasq {

// Thread-safe.
class Executor {
 public:
  struct Options {
    int thread_count = 1;        // 1..64
    size_t max_queued = 10'000;  // tasks that wait
  };

  explicit Executor(Options options);
  // Runs what is queued, then joins.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  // Queues `task`. False, without taking it, when the queue is full or Stop was called.
  [[nodiscard]] bool TrySubmit(std::function<void()> task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Refuses new tasks, runs what is queued, then joins. May be called again.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  // Constant after construction.
  const Options options_;
  std::vector<std::thread> threads_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sasq

#endif  // SASQ_COMMON_EXECUTOR_H_
