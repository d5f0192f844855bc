#include "server/watch_hub.h"

#include <utility>

namespace sasq {

bool WatchHub::Subscribe(const std::string& job_name, std::shared_ptr<JobSubscriber> subscriber) {
  MutexLock lock(&mutex_);
  if (shut_down_) return false;
  const JobSubscriber* const key = subscriber.get();
  by_job_[job_name][key] = std::move(subscriber);
  return true;
}

void WatchHub::Unsubscribe(const std::string& job_name, const JobSubscriber* subscriber) {
  std::shared_ptr<JobSubscriber> last;  // let go of outside the lock
  MutexLock lock(&mutex_);
  const auto job = by_job_.find(job_name);
  if (job == by_job_.end()) return;
  const auto found = job->second.find(subscriber);
  if (found == job->second.end()) return;
  last = std::move(found->second);
  job->second.erase(found);
  if (job->second.empty()) by_job_.erase(job);
}

void WatchHub::Shutdown() {
  std::unordered_map<std::string, Subscribers> by_job;
  {
    MutexLock lock(&mutex_);
    shut_down_ = true;
    by_job.swap(by_job_);
  }
  for (const auto& [name, subscribers] : by_job) {
    for (const auto& [key, subscriber] : subscribers) subscriber->OnServerShutdown();
  }
}

std::vector<std::string> WatchHub::FollowedJobs() {
  MutexLock lock(&mutex_);
  std::vector<std::string> names;
  names.reserve(by_job_.size());
  for (const auto& [name, subscribers] : by_job_) names.push_back(name);
  return names;
}

std::vector<std::shared_ptr<JobSubscriber>> WatchHub::SubscribersOf(absl::string_view job_name) {
  std::vector<std::shared_ptr<JobSubscriber>> subscribers;
  MutexLock lock(&mutex_);
  const auto job = by_job_.find(std::string(job_name));
  if (job == by_job_.end()) return subscribers;
  subscribers.reserve(job->second.size());
  for (const auto& [key, subscriber] : job->second) subscribers.push_back(subscriber);
  return subscribers;
}

void WatchHub::OnJobChanged(std::shared_ptr<const v1::Job> job) {
  for (const auto& subscriber : SubscribersOf(job->name())) subscriber->OnJobChanged(job);
}

void WatchHub::OnJobLogGrew(absl::string_view job_name) {
  for (const auto& subscriber : SubscribersOf(job_name)) subscriber->OnJobLogGrew();
}

void WatchHub::OnJobDeleted(absl::string_view job_name) {
  for (const auto& subscriber : SubscribersOf(job_name)) subscriber->OnJobDeleted();
}

}  // namespace sasq
