// Brings changes of jobs to the streams that follow them.
#ifndef SASQ_SERVER_WATCH_HUB_H_
#define SASQ_SERVER_WATCH_HUB_H_

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "server/job_events.h"

namespace sasq {

// Someone who follows one job. Thread-safe and quick; may be told something once after
// Unsubscribe, while another thread is at it.
class JobSubscriber {
 public:
  virtual ~JobSubscriber() = default;
  virtual void OnJobChanged(const std::shared_ptr<const v1::Job>& job) = 0;
  virtual void OnJobLogGrew() = 0;
  virtual void OnJobDeleted() = 0;
  virtual void OnServerShutdown() = 0;
};

// Thread-safe. Holds no thread: subscribers are told on the thread that made the change.
class WatchHub final : public JobEvents {
 public:
  // `on_job_queued` is told of every job that can be leased.
  explicit WatchHub(std::function<void()> on_job_queued)
      : on_job_queued_(std::move(on_job_queued)) {}

  // False after Shutdown.
  [[nodiscard]] bool Subscribe(const std::string& job_name,
                               std::shared_ptr<JobSubscriber> subscriber)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Nothing happens if it is not subscribed.
  void Unsubscribe(const std::string& job_name, const JobSubscriber* subscriber)
      ABSL_LOCKS_EXCLUDED(mutex_);

  bool IsFollowed(absl::string_view job_name) ABSL_LOCKS_EXCLUDED(mutex_) {
    return !SubscribersOf(job_name).empty();
  }
  // Names of the jobs that somebody follows.
  std::vector<std::string> FollowedJobs() ABSL_LOCKS_EXCLUDED(mutex_);

  // Tells every subscriber, and takes no new ones.
  void Shutdown() ABSL_LOCKS_EXCLUDED(mutex_);

  void OnJobChanged(std::shared_ptr<const v1::Job> job) override;
  void OnJobLogGrew(absl::string_view job_name) override;
  void OnJobDeleted(absl::string_view job_name) override;
  void OnJobQueued() override { on_job_queued_(); }

 private:
  using Subscribers = std::unordered_map<const JobSubscriber*, std::shared_ptr<JobSubscriber>>;

  std::vector<std::shared_ptr<JobSubscriber>> SubscribersOf(absl::string_view job_name)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<void()> on_job_queued_;
  Mutex mutex_;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  std::unordered_map<std::string, Subscribers> by_job_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_SERVER_WATCH_HUB_H_
