// Brings the changes that other coordinators on the same store make to the streams and the waiting
// workers of this one.
#ifndef SASQ_SERVER_REMOTE_CHANGES_H_
#define SASQ_SERVER_REMOTE_CHANGES_H_

#include <functional>
#include <set>
#include <string>

#include "common/executor.h"
#include "common/mutex.h"
#include "server/coordinator_parts.h"
#include "server/store_changes.h"
#include "server/watch_hub.h"

namespace sasq {

// Thread-safe. Jobs are read on the executor, and only those that somebody follows here; what could
// not be read is read again at the next Tick, so that no end of a job is missed.
class RemoteChanges final : public StoreChanges {
 public:
  // What is referred to outlives this.
  RemoteChanges(const CoordinatorParts& parts, WatchHub& hub, Executor& executor)
      : parts_(parts), hub_(hub), executor_(executor) {}

  void OnStoreChange(const StoreChange& change) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStoreGap() override ABSL_LOCKS_EXCLUDED(mutex_);

  // Call it about once a second.
  void Tick() ABSL_LOCKS_EXCLUDED(mutex_) { StartReading(); }

 private:
  void StartReading() ABSL_LOCKS_EXCLUDED(mutex_);
  void ReadAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // False: try again later.
  bool Read(const std::string& job_name);

  const CoordinatorParts parts_;
  WatchHub& hub_;
  Executor& executor_;

  Mutex mutex_;
  std::set<std::string> unread_ ABSL_GUARDED_BY(mutex_);  // names of jobs
  bool is_reading_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace sasq

#endif  // SASQ_SERVER_REMOTE_CHANGES_H_
