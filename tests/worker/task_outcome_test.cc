#include "worker/task_outcome.h"

#include <gtest/gtest.h>

#include "common/rpc_status.h"

namespace sasq {
namespace {

dispatch::v1::Task SomeTask() {
  dispatch::v1::Task task;
  task.set_job("jobs/a");
  task.set_lease_token("token");
  return task;
}

TEST(TaskOutcomeTest, EveryCauseMeetsEveryResult) {
  const absl::Status stopped = absl::CancelledError("stopped");
  const absl::Status broken = absl::InternalError("broken");
  struct Case {
    StopCause cause;
    absl::StatusOr<TaskResult> result;
    const char* outcome;
  };
  const Case cases[] = {
      {StopCause::kNone, TaskResult(), "succeeded"},
      {StopCause::kNone, stopped, "failed"},  // nobody asked for it
      {StopCause::kNone, broken, "failed"},
      {StopCause::kCancelled, TaskResult(), "cancelled"},
      {StopCause::kCancelled, stopped, "cancelled"},
      {StopCause::kCancelled, broken, "cancelled"},
      {StopCause::kDraining, TaskResult(), "succeeded"},
      {StopCause::kDraining, stopped, "handed_back"},
      {StopCause::kDraining, broken, "failed"},
  };
  for (const Case& test : cases) {
    const auto request = MakeOutcome(SomeTask(), test.cause, test.result, "checkpoint");
    EXPECT_EQ(OutcomeLabel(request), test.outcome)
        << static_cast<int>(test.cause) << " " << test.result.status();
    EXPECT_EQ(request.job(), "jobs/a");
    EXPECT_EQ(request.lease_token(), "token");
    if (request.has_handed_back()) {
      EXPECT_EQ(request.handed_back().checkpoint(), "checkpoint");
    }
  }
}

TEST(TaskOutcomeTest, EveryReasonArrives) {
  const auto* values = v1::JobFailureReason_descriptor();
  for (int i = 1; i < values->value_count(); ++i) {
    const std::string prefix = "JOB_FAILURE_REASON_";
    const std::string name = values->value(i)->name();
    const absl::Status status =
        WithReason(absl::InvalidArgumentError("message"), name.substr(prefix.size()));
    EXPECT_EQ(MakeJobError(status).reason(), values->value(i)->number());
  }
  const auto internal = v1::JOB_FAILURE_REASON_INTERNAL;
  EXPECT_EQ(MakeJobError(WithReason(absl::InternalError(""), "UNSPECIFIED")).reason(), internal);
  EXPECT_EQ(MakeJobError(absl::InternalError("")).reason(), internal);
}

TEST(TaskOutcomeTest, LongMessagesAreCut) {
  const v1::JobError error = MakeJobError(absl::InternalError(std::string(1 << 20, 'x')));
  EXPECT_EQ(error.message().size(), kMaxErrorMessageBytes);
}

}  // namespace
}  // namespace sasq
