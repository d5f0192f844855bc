#include "worker/task_outcome.h"

#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"
#include "worker/utf8.h"

namespace sasq {

using dispatch::v1::CompleteTaskRequest;

absl::StatusOr<TaskResult> RunGuarded(TaskRunner& runner, const dispatch::v1::Task& task,
                                      TaskObserver& observer, std::stop_token stop) {
  try {
    return runner.Run(task, observer, std::move(stop));
  } catch (const std::bad_alloc&) {
    return WithReason(absl::ResourceExhaustedError(
                          "the worker ran out of memory; shorten the windows of the spec, or use a "
                          "worker with more memory"),
                      "OUT_OF_MEMORY");
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("the worker's program failed: ", error.what()));
  }
}

v1::JobError MakeJobError(const absl::Status& status) {
  v1::JobError error;
  v1::JobFailureReason reason = v1::JOB_FAILURE_REASON_INTERNAL;
  const std::string name = absl::StrCat("JOB_FAILURE_REASON_", ReasonOf(status));
  if (!v1::JobFailureReason_Parse(name, &reason) || reason == v1::JOB_FAILURE_REASON_UNSPECIFIED) {
    reason = v1::JOB_FAILURE_REASON_INTERNAL;
  }
  error.set_reason(reason);
  error.set_message(ToUtf8(status.message(), kMaxErrorMessageBytes));
  return error;
}

CompleteTaskRequest MakeOutcome(const dispatch::v1::Task& task, StopCause cause,
                                absl::StatusOr<TaskResult> result, std::string checkpoint) {
  CompleteTaskRequest request;
  request.set_job(task.job());
  request.set_lease_token(task.lease_token());
  if (cause == StopCause::kCancelled) {
    request.mutable_cancelled();
  } else if (result.ok()) {
    auto* succeeded = request.mutable_succeeded();
    succeeded->mutable_rows()->Assign(result->rows.begin(), result->rows.end());
    for (auto& file : result->files) *succeeded->add_files() = std::move(file);
  } else if (cause == StopCause::kDraining && absl::IsCancelled(result.status())) {
    request.mutable_handed_back()->set_checkpoint(std::move(checkpoint));
  } else {
    *request.mutable_failed()->mutable_error() = MakeJobError(result.status());
  }
  return request;
}

absl::string_view OutcomeLabel(const CompleteTaskRequest& request) {
  switch (request.outcome_case()) {
    case CompleteTaskRequest::kSucceeded:
      return "succeeded";
    case CompleteTaskRequest::kFailed:
      return "failed";
    case CompleteTaskRequest::kCancelled:
      return "cancelled";
    case CompleteTaskRequest::kHandedBack:
      return "handed_back";
    case CompleteTaskRequest::OUTCOME_NOT_SET:
      break;
  }
  SASQ_CHECK(false);
}

}  // namespace sasq
