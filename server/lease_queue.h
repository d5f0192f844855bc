// LeaseTask calls that wait for a job, answered without a thread each.
#ifndef SASQ_SERVER_LEASE_QUEUE_H_
#define SASQ_SERVER_LEASE_QUEUE_H_

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/executor.h"
#include "common/mutex.h"
#include "sasq/dispatch/v1/dispatch_service.pb.h"
#include "server/coordinator_parts.h"
#include "server/lease_manager.h"

namespace sasq {

// One call that waits. Thread-safe.
class LeasePoll {
 public:
  struct Caller {
    std::string worker_id;
    std::string instance_id;
    v1::DeviceKind device_kind = v1::DEVICE_KIND_UNSPECIFIED;
    int64_t memory_bytes = 0;
    absl::Time deadline;  // answered without a task then
  };

  virtual ~LeasePoll() = default;
  virtual const Caller& caller() const = 0;
  // Whether the caller has hung up.
  virtual bool abandoned() const = 0;
  // Answers the call, once. False: the caller has hung up, and nothing was sent.
  virtual bool Answer(absl::StatusOr<std::optional<dispatch::v1::Task>> result) = 0;
};

// Thread-safe. Calls wait in order of arrival; the one who takes a call out of the queue answers
// it.
class LeaseQueue {
 public:
  LeaseQueue(LeaseManager& leases, const CoordinatorParts& parts, Executor& executor)
      : leases_(leases), parts_(parts), executor_(executor) {}

  // Takes a call: it gets a job at once, later, or none at its deadline.
  void Add(const std::shared_ptr<LeasePoll>& poll) ABSL_LOCKS_EXCLUDED(mutex_);

  // The caller has hung up. True: the call was waiting and is the caller's again, to be finished.
  bool Remove(const LeasePoll* poll) ABSL_LOCKS_EXCLUDED(mutex_);

  // A job can be leased.
  void Wake() ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers calls whose deadline has passed. Call it several times a second.
  void Tick(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // Answers every call, also later ones, with UNAVAILABLE (SERVER_SHUTDOWN).
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    std::shared_ptr<LeasePoll> poll;
    bool tried = false;  // it was matched at least once
  };

  // Hands queued jobs to waiting calls until one of the two runs out. On the executor, one at a
  // time.
  void Match() ABSL_LOCKS_EXCLUDED(mutex_);
  void MatchOnce() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts Match unless one runs, which then goes round again.
  void StartMatch() ABSL_LOCKS_EXCLUDED(mutex_);
  // Leases a job for a call that was taken out. False: there is none, and the call waits again.
  bool Serve(const std::shared_ptr<LeasePoll>& poll) ABSL_LOCKS_EXCLUDED(mutex_);
  void Finish(const std::shared_ptr<LeasePoll>& poll,
              absl::StatusOr<std::optional<dispatch::v1::Task>> result);

  LeaseManager& leases_;
  const CoordinatorParts parts_;
  Executor& executor_;

  Mutex mutex_;
  std::list<Entry> waiting_ ABSL_GUARDED_BY(mutex_);
  bool matching_ ABSL_GUARDED_BY(mutex_) = false;
  bool match_again_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sasq

#endif  // SASQ_SERVER_LEASE_QUEUE_H_
