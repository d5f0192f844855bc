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
// OUT_OF_MEMORY is retryable on another kind of device only.
bool IsRetryable(v1::JobFailureReason reason);

// The pause after the attempt_count-th attempt failed: doubled each time, within the policy.
absl::Duration RetryPause(const v1::RetryPolicy& policy, int attempt_count);

// Who takes a lease, and until when.
struct LeaseTerms {
  std::string worker_id;
  std::string instance_id;
  std::string token;
  absl::Time expire_time;
};

absl::Status BeginAttempt(const LeaseTerms& terms, absl::Time now, JobChange& change);

// Ends the lease at `expire_time`, or when the attempt has taken as long as it may. That of a job
// that is CANCELLING is not made longer.
void RenewLease(absl::Time expire_time, JobRecord& record);

// Takes over progress, rows, log, checkpoint, scales and content key, and renews the lease. The
// job's sequence grows if a reader sees a difference.
void ApplyHeartbeat(const dispatch::v1::HeartbeatRequest& request, absl::Time expire_time,
                    JobChange& change);

// The attempt ended without a word of its worker, for `cause`, in words: another one, or FAILED
// with WORKER_LOST after the last, or CANCELLED if that was asked for.
absl::Status ApplyLoss(absl::string_view cause, absl::Time now, JobChange& change);

// Where an attempt failed, and where another one could be made: bits of device kinds.
struct FailedDevice {
  uint32_t device_kind = 0;
  uint32_t connected_kinds = 0;
};

// The worker reported a failure: another attempt if the reason allows it and one is left.
absl::Status ApplyFailure(const v1::JobError& error, const FailedDevice& device, absl::Time now,
                          JobChange& change);

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

// `earlier` did the same: its rows and blobs are this job's result. For a job that is QUEUED or
// RUNNING.
absl::Status ApplyReuse(const v1::Job& earlier,
                        const google::protobuf::RepeatedPtrField<v1::Blob>& blobs, absl::Time now,
                        JobChange& change);

// Cancel was asked for: the holder, if there is one, has `grace` to confirm it.
absl::Status ApplyCancelRequest(absl::Duration grace, absl::Time now, JobChange& change);

}  // namespace sasq

#endif  // SASQ_SERVER_ATTEMPT_H_
