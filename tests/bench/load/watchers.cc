#include <utility>

#include "tests/bench/load/load.h"

namespace sasq::load {

// One stream. It deletes nothing: Watchers outlives it.
class Watchers::Watch final : public grpc::ClientReadReactor<v1::WatchJobResponse> {
 public:
  Watch(Watchers& owner, std::string job) : owner_(owner), job_(std::move(job)) {
    request_.set_name(job_);
    owner_.stubs_.Next()->WatchJob(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void Cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (!opened_) {
      opened_ = true;
      ++owner_.open_count_;
    }
    const v1::JobState state = response_.job().state();
    if (state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED) {
      MutexLock lock(&owner_.mutex_);
      owner_.ended_.insert(job_);
    }
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (!status.ok() && status.error_code() != grpc::StatusCode::CANCELLED) {
      ++owner_.broken_count_;
    }
    MutexLock lock(&owner_.mutex_);
    --owner_.unfinished_;
    owner_.changed_.SignalAll();
  }

 private:
  Watchers& owner_;
  const std::string job_;
  grpc::ClientContext context_;
  v1::WatchJobRequest request_;
  v1::WatchJobResponse response_;
  bool opened_ = false;
};

Watchers::Watchers(const std::vector<std::string>& jobs, int count, const std::string& endpoint)
    : stubs_(endpoint, 16) {
  {
    MutexLock lock(&mutex_);
    unfinished_ = count;
  }
  for (int i = 0; i < count; ++i) {
    watches_.push_back(std::make_unique<Watch>(*this, jobs[static_cast<size_t>(i) % jobs.size()]));
  }
}

Watchers::~Watchers() {
  for (const std::unique_ptr<Watch>& watch : watches_) watch->Cancel();
  MutexLock lock(&mutex_);
  while (unfinished_ > 0) changed_.Wait(&mutex_);
}

std::set<std::string> Watchers::ended_jobs() {
  MutexLock lock(&mutex_);
  return ended_;
}

}  // namespace sasq::load
