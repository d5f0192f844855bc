#include "common/executor.h"

#include <utility>

namespace sasq {

Executor::Executor(Options options) : options_(options) {
  for (int i = 0; i < options_.thread_count; ++i) threads_.emplace_back([this] { Run(); });
}

Executor::~Executor() { Stop(); }

bool Executor::TrySubmit(std::function<void()> task) {
  MutexLock lock(&mutex_);
  if (stopping_ || tasks_.size() >= options_.max_queued) return false;
  tasks_.push_back(std::move(task));
  changed_.Signal();
  return true;
}

void Executor::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void Executor::Run() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(&mutex_);
      while (tasks_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    task();
  }
}

}  // namespace sasq
