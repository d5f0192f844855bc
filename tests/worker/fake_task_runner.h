// A task runner that does what a test says.
#ifndef SASQ_TESTS_WORKER_FAKE_TASK_RUNNER_H_
#define SASQ_TESTS_WORKER_FAKE_TASK_RUNNER_H_

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <utility>

#include "worker/task_runner.h"

namespace sasq {

class FakeTaskRunner final : public TaskRunner {
 public:
  using Body = std::function<absl::StatusOr<TaskResult>(
      const dispatch::v1::Task& task, TaskObserver& observer, std::stop_token stop)>;

  explicit FakeTaskRunner(Body body) : body_(std::move(body)) {}

  absl::StatusOr<TaskResult> Run(const dispatch::v1::Task& task, TaskObserver& observer,
                                 std::stop_token stop) override {
    return body_(task, observer, std::move(stop));
  }

 private:
  const Body body_;
};

// Waits until the worker stops the task, as a long computation would.
inline absl::Status RunUntilStopped(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock<std::mutex> lock(mutex);
  stopped.wait(lock, std::move(stop), [] { return false; });
  return absl::CancelledError("stopped");
}

// A result with one row and one file.
inline TaskResult SmallResult() {
  TaskResult result;
  result.rows.emplace_back().set_perplexity(17.25);
  result.files.emplace_back().set_file_name("scales.safetensors");
  result.files.back().set_content("scales");
  return result;
}

}  // namespace sasq

#endif  // SASQ_TESTS_WORKER_FAKE_TASK_RUNNER_H_
