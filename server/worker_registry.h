// The workers that this coordinator has heard of, and those that others on the same store have told
// of. Kept in memory: a restarted coordinator learns of its own when they register again.
#ifndef SASQ_SERVER_WORKER_REGISTRY_H_
#define SASQ_SERVER_WORKER_REGISTRY_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "sasq/v1/quantization_service.pb.h"
#include "server/shared_worker.h"

namespace sasq {

// The workers that may run a job.
struct WorkerSelector {
  uint32_t device_kinds = 0;  // a bit for each v1::DeviceKind, as in JobRecord
  int64_t min_memory_bytes = 0;
};

// Thread-safe.
class WorkerRegistry {
 public:
  // A worker that was not heard of for `lost_after` is LOST and its id is free for another process.
  explicit WorkerRegistry(absl::Duration lost_after) : lost_after_(lost_after) {}

  // Adds a worker, or renews one. ALREADY_EXISTS (WORKER_ID_TAKEN) while another instance has the
  // id and is neither LOST nor DRAINING. Fields of `worker` other than id, capabilities and version
  // are ignored.
  absl::Status Register(const v1::Worker& worker, absl::string_view instance_id, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Notes that the worker was heard of, and returns what it can do. NOT_FOUND
  // (WORKER_NOT_REGISTERED) if this instance is not registered.
  absl::StatusOr<v1::WorkerCapabilities> Touch(absl::string_view id, absl::string_view instance_id,
                                               absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // A held poll counts as being heard of for as long as it is held.
  void BeginPoll(absl::string_view id, absl::string_view instance_id) ABSL_LOCKS_EXCLUDED(mutex_);
  void EndPoll(absl::string_view id, absl::string_view instance_id, absl::Time now)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The worker holds `job` now.
  void SetJob(absl::string_view id, absl::string_view job) ABSL_LOCKS_EXCLUDED(mutex_);
  // The worker does not hold `job` any more; `draining`: it gave it back and takes nothing new.
  void ClearJob(absl::string_view id, absl::string_view job, bool draining = false)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops workers that have been LOST for long, so that the registry stays bounded.
  void ForgetLost(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);

  // What other coordinators are to know (JobStore::ShareWorkers): workers that changed since the
  // last call, or were heard of and last told of a while ago. After ShareAgain, all.
  std::vector<SharedWorker> TakeChanges(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_);
  void ShareAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  // Replaces what others told of. Of a worker that two know, who heard of it last is right.
  void SetOthers(const std::vector<SharedWorker>& others) ABSL_LOCKS_EXCLUDED(mutex_);
  // Workers that were not heard of since then are forgotten.
  absl::Time OldestKept(absl::Time now) const;

  // Every worker, by id.
  std::vector<v1::Worker> List(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Why a queued job does not run, in words.
  std::string WaitingReason(const WorkerSelector& selector, absl::Time now) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Kind of device of a worker of this coordinator, as a bit; 0 if it is not known.
  uint32_t DeviceKindOf(absl::string_view id) const ABSL_LOCKS_EXCLUDED(mutex_);
  // Kinds of all connected workers.
  uint32_t ConnectedKinds(absl::Time now) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Highest float32 speed of a connected worker for `device_kind` in operations per second; 0 if
  // there is none.
  double BestFlopsPerSecond(v1::DeviceKind device_kind, absl::Time now) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    v1::Worker worker;
    std::string instance_id;
    absl::Time last_seen;
    int held_poll_count = 0;
    bool draining = false;
    // Of what others were told.
    bool changed = true;
    absl::Time told_last_seen;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  static absl::Time LastSeen(const Entry& entry, absl::Time now);
  v1::WorkerState StateOf(const Entry& entry, absl::Time now) const;
  // Every worker of the fleet, by id.
  std::map<absl::string_view, const Entry*> Fleet(absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The worker as whoever heard of it last knows it; null if there is none.
  const Entry* FindInFleet(absl::string_view id, absl::Time now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Entry* Find(absl::string_view id, absl::string_view instance_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const absl::Duration lost_after_;
  mutable Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  Entries others_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_WORKER_REGISTRY_H_
