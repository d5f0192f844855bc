#include "server/lease_queue.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "server/server_status.h"

namespace sasq {

void LeaseQueue::Add(const std::shared_ptr<LeasePoll>& poll) {
  const LeasePoll::Caller& caller = poll->caller();
  bool refused = false;
  parts_.workers.BeginPoll(caller.worker_id, caller.instance_id);
  {
    MutexLock lock(&mutex_);
    refused = shut_down_ || poll->abandoned();
    if (!refused) waiting_.push_back({poll, false});
    parts_.metrics.SetLeasePolls(waiting_.size());
  }
  if (refused) {
    Finish(poll, ServerShutdownStatus());
  } else {
    StartMatch();
  }
}

bool LeaseQueue::Remove(const LeasePoll* poll) {
  {
    MutexLock lock(&mutex_);
    const auto found = std::find_if(waiting_.begin(), waiting_.end(), [poll](const Entry& entry) {
      return entry.poll.get() == poll;
    });
    if (found == waiting_.end()) return false;
    waiting_.erase(found);
    parts_.metrics.SetLeasePolls(waiting_.size());
  }
  parts_.workers.EndPoll(poll->caller().worker_id, poll->caller().instance_id, parts_.clock.Now());
  return true;
}

void LeaseQueue::Wake() { StartMatch(); }

void LeaseQueue::StartMatch() {
  {
    MutexLock lock(&mutex_);
    if (waiting_.empty()) return;
    match_again_ = true;
    if (matching_) return;
    matching_ = true;
  }
  if (!executor_.TrySubmit([this] { Match(); })) {
    MutexLock lock(&mutex_);
    matching_ = false;  // Tick tries again
  }
}

void LeaseQueue::Match() {
  while (true) {
    {
      MutexLock lock(&mutex_);
      if (!match_again_ || shut_down_) {
        matching_ = false;
        return;
      }
      match_again_ = false;
    }
    MatchOnce();
  }
}

void LeaseQueue::MatchOnce() {
  std::vector<std::shared_ptr<LeasePoll>> candidates;
  {
    MutexLock lock(&mutex_);
    for (Entry& entry : waiting_) {
      entry.tried = true;
      candidates.push_back(entry.poll);
    }
  }
  // What is left suits no worker of a kind with this memory, so none with less.
  std::map<v1::DeviceKind, int64_t> without_jobs;
  for (const std::shared_ptr<LeasePoll>& poll : candidates) {
    const LeasePoll::Caller& caller = poll->caller();
    const auto without = without_jobs.find(caller.device_kind);
    if (without != without_jobs.end() && caller.memory_bytes <= without->second) continue;
    bool taken = false;
    {
      MutexLock lock(&mutex_);
      const auto found = std::find_if(waiting_.begin(), waiting_.end(),
                                      [&poll](const Entry& entry) { return entry.poll == poll; });
      taken = found != waiting_.end();
      if (taken) waiting_.erase(found);
    }
    if (taken && !Serve(poll)) without_jobs[caller.device_kind] = caller.memory_bytes;
  }
  Tick(parts_.clock.Now());
}

bool LeaseQueue::Serve(const std::shared_ptr<LeasePoll>& poll) {
  const LeasePoll::Caller& caller = poll->caller();
  absl::StatusOr<std::optional<dispatch::v1::Task>> result =
      leases_.LeaseNext(caller.worker_id, caller.instance_id);
  if (!result.ok() || result->has_value()) {
    Finish(poll, std::move(result));
    return true;
  }
  bool over = false;
  {
    MutexLock lock(&mutex_);
    over = shut_down_ || poll->abandoned();
    if (!over) waiting_.push_front({poll, true});
  }
  if (over) Finish(poll, ServerShutdownStatus());
  return false;
}

void LeaseQueue::Finish(const std::shared_ptr<LeasePoll>& poll,
                        absl::StatusOr<std::optional<dispatch::v1::Task>> result) {
  const LeasePoll::Caller& caller = poll->caller();
  parts_.workers.EndPoll(caller.worker_id, caller.instance_id, parts_.clock.Now());
  std::optional<dispatch::v1::Task> task;
  if (result.ok()) task = *result;
  if (!poll->Answer(std::move(result)) && task.has_value()) leases_.TakeBack(*task);
}

void LeaseQueue::Tick(absl::Time now) {
  std::vector<std::shared_ptr<LeasePoll>> expired;
  bool untried = false;
  {
    MutexLock lock(&mutex_);
    for (auto entry = waiting_.begin(); entry != waiting_.end();) {
      untried |= !entry->tried;
      if (entry->tried && entry->poll->caller().deadline <= now) {
        expired.push_back(std::move(entry->poll));
        entry = waiting_.erase(entry);
      } else {
        ++entry;
      }
    }
    untried |= match_again_ && !matching_;
    parts_.metrics.SetLeasePolls(waiting_.size());
  }
  for (const std::shared_ptr<LeasePoll>& poll : expired) Finish(poll, std::nullopt);
  if (untried) StartMatch();
}

void LeaseQueue::Shutdown() {
  std::list<Entry> waiting;
  {
    MutexLock lock(&mutex_);
    shut_down_ = true;
    waiting.swap(waiting_);
  }
  for (const Entry& entry : waiting) Finish(entry.poll, ServerShutdownStatus());
}

}  // namespace sasq
