// How an attempt ended, in the words of the API.
#ifndef SASQ_WORKER_TASK_OUTCOME_H_
#define SASQ_WORKER_TASK_OUTCOME_H_

#include <stop_token>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "worker/task_runner.h"

namespace sasq {

// Longest message of a job's error; the rest of a longer one is cut off.
inline constexpr size_t kMaxErrorMessageBytes = 4 * 1024;

// Runs the task. What it throws becomes a status: OUT_OF_MEMORY for std::bad_alloc, else INTERNAL.
absl::StatusOr<TaskResult> RunGuarded(TaskRunner& runner, const dispatch::v1::Task& task,
                                      TaskObserver& observer, std::stop_token stop);

// Why the task was told to stop.
enum class StopCause { kNone, kCancelled, kDraining };

// The request that ends the attempt, without log: `cancelled` if that was asked for, whatever came
// out; else `succeeded` with the result; `handed_back` with `checkpoint` if a drain cut the task
// short; else `failed` with the status' reason and message.
dispatch::v1::CompleteTaskRequest MakeOutcome(const dispatch::v1::Task& task, StopCause cause,
                                              absl::StatusOr<TaskResult> result,
                                              std::string checkpoint);

// A failure's reason (ReasonOf) and message. An unknown reason is INTERNAL.
v1::JobError MakeJobError(const absl::Status& status);

// `succeeded`, `failed`, `cancelled` or `handed_back`.
absl::string_view OutcomeLabel(const dispatch::v1::CompleteTaskRequest& request);

}  // namespace sasq

#endif  // SASQ_WORKER_TASK_OUTCOME_H_
