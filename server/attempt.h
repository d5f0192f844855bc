// What happens to a job's record when an attempt begins, reports and ends. Pure: each function
// changes one JobChange and is called within the transaction that writes it.
#ifndef SASQ_SERVER_ATTEMPT_H_
#define SASQ_SERVER_ATTEMPT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "sasq/v1/job.pb.h"
#include "server/job_record.h"

namespace sasq {

// Whether a job whose attempt failed for this reason gets another one, while it has any left.
bool IsRetryable(v1::JobFailureReason reason);

// Who takes a lease, and until when.
struct LeaseTerms {
  std::string worker_id;
  std::string instance_id;
  std::string token;
  absl::Time expire_time;
};

absl::Status BeginAttempt(const LeaseTerms& terms, absl::Time now, JobChange& change);

// Takes over progress, rows, log and checkpoint, and renews the lease. The job's sequence grows if
// a reader sees a difference.
void ApplyHeartbeat(const dispatch::v1::HeartbeatRequest& request, absl::Time expire_time,
                    JobChange& change);

// The attempt ended without a word of its worker, for `cause`, in words: another one, or FAILED
// with WORKER_LOST after the last, or CANCELLED if that was asked for.
absl::Status ApplyLoss(absl::string_view cause, absl::Time now, JobChange& change);

// The worker reported a failure: another attempt if the reason allows it and one is left.
absl::Status ApplyFailure(const v1::JobError& error, absl::Time now, JobChange& change);

// The worker gave the task back; this does not count as an attempt.
absl::Status ApplyHandBack(const std::string& checkpoint, absl::Time now, JobChange& change);

// The worker stopped because of a cancel. FAILED_PRECONDITION if nobody had asked for one.
absl::Status ApplyCancelConfirmed(absl::Time now, JobChange& change);

// The worker has a result, which is published: SUCCEEDED, or FAILED with QUALITY_GATE if one of the
// job's gates says so of the rows; the artifact is then marked as rejected. While the job is
// CANCELLING it ends CANCELLED, and nothing is published.
absl::Status ApplyResult(const google::protobuf::RepeatedPtrField<v1::ReportRow>& rows,
                         const google::protobuf::RepeatedPtrField<v1::Blob>& blobs, absl::Time now,
                         JobChange& change);

}  // namespace sasq

#endif  // SASQ_SERVER_ATTEMPT_H_
