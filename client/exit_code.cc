#include "client/exit_code.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "client/text.h"
#include "common/rpc_status.h"

namespace sasq {
namespace {

constexpr char kWaitTimedOut[] = "WAIT_TIMED_OUT";

constexpr ExitCodeMeaning kMeanings[] = {
    {ExitCode::kOk, "done; where the command waited for a job, it SUCCEEDED"},
    {ExitCode::kFailed,
     "the job FAILED or was cancelled, or the command could not do its work (disk full, damaged "
     "blob, artifact of an unfinished job, a file in the way); `artifacts verify` found a "
     "difference"},
    {ExitCode::kUsage,
     "usage: bad flags, a bad spec, or a request that the service refused as invalid"},
    {ExitCode::kGateFailed,
     "a quality gate was not passed: of `submit --wait`, `wait`, `watch` and `gate`"},
    {ExitCode::kNotFound, "not found, or denied"},
    {ExitCode::kUnavailable,
     "the service cannot be reached, is too busy, or does not answer in time"},
    {ExitCode::kWaitTimedOut, "`wait --timeout` ran out; the job lives on"},
    {ExitCode::kInterrupted, "Ctrl-C; the job lives on"},
};

}  // namespace

absl::Span<const ExitCodeMeaning> ExitCodeMeanings() { return kMeanings; }

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kAlreadyExists:  // a request id that was used for another spec
      return ExitCode::kUsage;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kNotFound;
    case absl::StatusCode::kDeadlineExceeded:
      return ReasonOf(status) == kWaitTimedOut ? ExitCode::kWaitTimedOut : ExitCode::kUnavailable;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kUnimplemented:  // something else listens at the endpoint
      return ExitCode::kUnavailable;
    case absl::StatusCode::kCancelled:
      return ExitCode::kInterrupted;
    default:
      return ExitCode::kFailed;
  }
}

ExitCode ExitCodeOf(const v1::Job& ended_job) {
  if (IsGateFailure(ended_job)) return ExitCode::kGateFailed;
  return ended_job.state() == v1::JOB_STATE_SUCCEEDED ? ExitCode::kOk : ExitCode::kFailed;
}

bool IsGateFailure(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_FAILED &&
         job.error().reason() == v1::JOB_FAILURE_REASON_QUALITY_GATE;
}

absl::Status WaitTimedOutError(absl::string_view message) {
  return WithReason(absl::DeadlineExceededError(message), kWaitTimedOut);
}

std::string ErrorText(const absl::Status& status) {
  const std::vector<FieldViolation> violations = FieldViolationsOf(status);
  if (violations.empty()) {
    std::string message = CleanLine(status.message());
    if (message.empty()) message = absl::StatusCodeToString(status.code());
    return absl::StrCat("sasq: ", message, "\n");
  }
  std::string text = absl::StrCat(
      "sasq: ", violations.size() == 1 ? "1 problem" : absl::StrCat(violations.size(), " problems"),
      " in what was asked for; correct and try again\n");
  for (const FieldViolation& violation : violations) {
    absl::StrAppend(&text, "  ",
                    CleanLine(absl::StrCat(violation.field, " ", violation.description)), "\n");
  }
  return text;
}

}  // namespace sasq
