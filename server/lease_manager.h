// What workers ask of the service: registering, leasing, reporting and completing. Execution is at
// least once and publication exactly once: a lease is held by whoever has its token, and every
// write is checked against it in the transaction that does the write. Errors are those of
// dispatch_service.proto.
#ifndef SASQ_SERVER_LEASE_MANAGER_H_
#define SASQ_SERVER_LEASE_MANAGER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "server/coordinator_parts.h"

namespace sasq {

// Blocks on the stores: call it from an executor. Thread-safe.
class LeaseManager {
 public:
  struct Options {
    absl::Duration lease_duration = absl::Seconds(30);
    absl::Duration heartbeat_interval = absl::Seconds(1);
  };

  // Leases that an earlier process of the coordinator gave stay valid: none expires within the
  // first lease_duration, so that their workers can come back.
  LeaseManager(const CoordinatorParts& parts, const Options& options);

  absl::StatusOr<dispatch::v1::RegisterWorkerResponse> RegisterWorker(
      const dispatch::v1::RegisterWorkerRequest& request);

  // The task whose lease this process holds although it asks for another: the answer that gave it
  // was lost, and it is given again. If the worker has sent a heartbeat for it, it has dropped the
  // task, and the attempt is over.
  absl::StatusOr<std::optional<dispatch::v1::Task>> FindUndelivered(absl::string_view worker_id,
                                                                    absl::string_view instance_id);

  // Leases the job that is next for this worker (JobStore::LeaseNext); nullopt if there is none.
  // NOT_FOUND (WORKER_NOT_REGISTERED).
  absl::StatusOr<std::optional<dispatch::v1::Task>> LeaseNext(absl::string_view worker_id,
                                                              absl::string_view instance_id);

  // Takes back a task that could not be given to its worker. Does not count as an attempt.
  void TakeBack(const dispatch::v1::Task& task);

  absl::StatusOr<dispatch::v1::HeartbeatResponse> Heartbeat(
      const dispatch::v1::HeartbeatRequest& request);

  absl::Status CompleteTask(const dispatch::v1::CompleteTaskRequest& request);

  // Ends attempts whose lease expired, forgets lost workers, and sets the gauges. Call it about
  // once a second.
  absl::Status Tick(absl::Time now);

 private:
  // The result that the heartbeat's job need not compute, if its content key finds one.
  absl::StatusOr<std::optional<EarlierResult>> FindSameJob(
      const dispatch::v1::HeartbeatRequest& request, absl::string_view id);
  absl::Status ExpireLeases(absl::Time now);
  // Tells other coordinators of workers, and hears of theirs.
  absl::Status ShareWorkers(absl::Time now);
  dispatch::v1::Task TaskOf(const LeasedJob& leased) const;
  // The span of the time that a job, leased now, was queued.
  void TraceWait(const JobRecord& leased) const;
  // Writes the end of an attempt if `token` is still its lease's. ABORTED (LEASE_LOST) otherwise;
  // OK without a change if `token` has ended its attempt already.
  absl::Status EndAttempt(absl::string_view job_id, absl::string_view token, JobStore::Change end);
  // Stores the files of a result and ends the attempt with the request's outcome.
  absl::Status Publish(const dispatch::v1::CompleteTaskRequest& request, absl::string_view job_id);

  const CoordinatorParts parts_;
  const Options options_;
  const absl::Time first_expiry_time_;
};

}  // namespace sasq

#endif  // SASQ_SERVER_LEASE_MANAGER_H_
