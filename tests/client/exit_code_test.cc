#include "client/exit_code.h"

#include <gtest/gtest.h>

#include "common/rpc_status.h"

namespace sasq {
namespace {

TEST(ExitCodeTest, EveryStatusCodeHasItsExitCode) {
  const std::pair<absl::StatusCode, int> cases[] = {
      {absl::StatusCode::kOk, 0},
      {absl::StatusCode::kCancelled, 130},
      {absl::StatusCode::kUnknown, 1},
      {absl::StatusCode::kInvalidArgument, 2},
      {absl::StatusCode::kDeadlineExceeded, 5},
      {absl::StatusCode::kNotFound, 4},
      {absl::StatusCode::kAlreadyExists, 2},
      {absl::StatusCode::kPermissionDenied, 4},
      {absl::StatusCode::kResourceExhausted, 5},
      {absl::StatusCode::kFailedPrecondition, 1},
      {absl::StatusCode::kAborted, 1},
      {absl::StatusCode::kOutOfRange, 2},
      {absl::StatusCode::kUnimplemented, 5},
      {absl::StatusCode::kInternal, 1},
      {absl::StatusCode::kUnavailable, 5},
      {absl::StatusCode::kDataLoss, 1},
      {absl::StatusCode::kUnauthenticated, 4},
  };
  for (const auto& [code, exit_code] : cases) {
    EXPECT_EQ(static_cast<int>(ExitCodeOf(absl::Status(code, "x"))), exit_code)
        << absl::StatusCodeToString(code);
  }
}

TEST(ExitCodeTest, TheUsersOwnLimitIsNotTheServices) {
  EXPECT_EQ(static_cast<int>(ExitCodeOf(WaitTimedOutError("too late"))), 124);
}

TEST(ExitCodeTest, OnlySuccessIsZero) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kOk);
  job.set_state(v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kFailed);
  job.set_state(v1::JOB_STATE_FAILED);
  EXPECT_EQ(ExitCodeOf(job), ExitCode::kFailed);
  job.mutable_error()->set_reason(v1::JOB_FAILURE_REASON_QUALITY_GATE);
  EXPECT_EQ(static_cast<int>(ExitCodeOf(job)), 3);
}

TEST(ErrorTextTest, IsOneCleanLine) {
  EXPECT_EQ(ErrorText(absl::NotFoundError("no job\n\x1b[31mabc")), "sasq: no job \uFFFD[31mabc\n");
  EXPECT_EQ(ErrorText(absl::InternalError("")), "sasq: INTERNAL\n");
}

TEST(ErrorTextTest, ListsViolationsOnePerLine) {
  EXPECT_EQ(ErrorText(FieldViolationsStatus(
                {{"spec.model.uri", "is empty"}, {"spec.seed", "is -1, want 0 or more"}},
                "INVALID_SPEC")),
            "sasq: 2 problems in what was asked for; correct and try again\n"
            "  spec.model.uri is empty\n"
            "  spec.seed is -1, want 0 or more\n");
}

}  // namespace
}  // namespace sasq
