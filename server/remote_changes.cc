#include "server/remote_changes.h"

#include <memory>
#include <utility>

#include "common/log.h"
#include "server/names.h"

namespace sasq {

void RemoteChanges::OnStoreChange(const StoreChange& change) {
  if (change.queued) parts_.events.OnJobQueued();
  const std::string name = JobName(change.job_id);
  if (!hub_.IsFollowed(name)) return;
  if (change.deleted) hub_.OnJobDeleted(name);
  if (change.log_grew) hub_.OnJobLogGrew(name);
  if (!change.changed) return;
  {
    MutexLock lock(&mutex_);
    unread_.insert(name);
  }
  StartReading();
}

void RemoteChanges::OnStoreGap() {
  parts_.events.OnJobQueued();
  for (const std::string& name : hub_.FollowedJobs()) {
    hub_.OnJobLogGrew(name);
    MutexLock lock(&mutex_);
    unread_.insert(name);
  }
  StartReading();
}

void RemoteChanges::StartReading() {
  {
    MutexLock lock(&mutex_);
    if (is_reading_ || unread_.empty()) return;
    is_reading_ = true;
  }
  if (executor_.TrySubmit([this] { ReadAll(); })) return;
  MutexLock lock(&mutex_);
  is_reading_ = false;  // Tick tries again
}

void RemoteChanges::ReadAll() {
  while (true) {
    std::string name;
    {
      MutexLock lock(&mutex_);
      is_reading_ = !unread_.empty();
      if (!is_reading_) return;
      // Out before it is read: what changes from now on is read again.
      name = std::move(unread_.extract(unread_.begin()).value());
    }
    if (Read(name)) continue;
    MutexLock lock(&mutex_);
    unread_.insert(std::move(name));
    is_reading_ = false;
    return;
  }
}

bool RemoteChanges::Read(const std::string& job_name) {
  if (!hub_.IsFollowed(job_name)) return true;
  const absl::StatusOr<std::string> id = ParseJobName(job_name);
  if (!id.ok()) return true;
  const absl::StatusOr<JobRecord> record = parts_.jobs.Get(*id);
  if (absl::IsNotFound(record.status())) {
    hub_.OnJobDeleted(job_name);
    return true;
  }
  if (!record.ok()) {
    LogWarning("remote_change_not_read", {{"job", job_name}, {"error", record.status()}});
    return !absl::IsUnavailable(record.status());
  }
  hub_.OnJobChanged(std::make_shared<const v1::Job>(ReaderView(parts_, *record)));
  return true;
}

}  // namespace sasq
