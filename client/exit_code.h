// What the program's end means to a script, and what it says to a person. The one place where
// statuses become exit codes.
#ifndef SASQ_CLIENT_EXIT_CODE_H_
#define SASQ_CLIENT_EXIT_CODE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "sasq/v1/job.pb.h"

namespace sasq {

enum class ExitCode {
  kOk = 0,
  kFailed = 1,       // the job failed or was cancelled, or the command could not do its work
  kUsage = 2,        // bad flags, a bad spec, or a request that the service refused as invalid
  kGateFailed = 3,   // a quality gate was not passed
  kNotFound = 4,     // not found, or denied
  kUnavailable = 5,  // the service cannot be reached, is too busy, or did not answer in time
  kWaitTimedOut = 124,
  kInterrupted = 130,  // Ctrl-C; jobs live on
};

// An exit code and what it says, for the reference.
struct ExitCodeMeaning {
  ExitCode code;
  const char* meaning;
};
// In the order of the codes.
absl::Span<const ExitCodeMeaning> ExitCodeMeanings();

ExitCode ExitCodeOf(const absl::Status& status);

// Of a command that waited for the end of a job.
ExitCode ExitCodeOf(const v1::Job& ended_job);

// Whether the job ended FAILED because of a quality gate: its artifact is there, and rejected.
bool IsGateFailure(const v1::Job& job);

// DEADLINE_EXCEEDED that means kWaitTimedOut: the user's limit ran out, not the service's.
absl::Status WaitTimedOutError(absl::string_view message);

// `sasq: ...` for standard error: one line, and one more for each field violation.
std::string ErrorText(const absl::Status& status);

}  // namespace sasq

#endif  // SASQ_CLIENT_EXIT_CODE_H_
