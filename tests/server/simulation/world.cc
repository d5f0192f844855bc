#include "tests/server/simulation/world.h"

#include "absl/strings/str_cat.h"

namespace sasq::simulation {

void WatchedJobs::OnJobChanged(std::shared_ptr<const v1::Job> job) {
  v1::Job& before = latest_[job->name()];
  if (job->sequence() < before.sequence()) {
    violations_.push_back(absl::StrCat(job->name(), " went from sequence ", before.sequence(),
                                       " back to ", job->sequence()));
  }
  if (IsEndedState(before.state()) && job->state() != before.state()) {
    violations_.push_back(absl::StrCat(job->name(), " was ", JobStateName(before.state()),
                                       " and is ", JobStateName(job->state())));
  }
  before = *job;
}

World::World(const std::string& folder, uint64_t seed)
    : faults_(seed),
      job_path_(folder + "/jobs.sqlite"),
      job_store_(*SqliteJobStore::Create({.path = job_path_, .reader_count = 1})),
      blob_store_(*FolderBlobStore::Create(folder + "/blobs")),
      faulty_blobs_(*blob_store_, faults_) {}

void World::StartCoordinator() {
  leases_.reset();
  coordinator_.reset();
  keeper_.reset();
  workers_.reset();
  faulty_jobs_.reset();
  faults_.ReviveCoordinator();
  job_store_ = *SqliteJobStore::Create({.path = job_path_, .reader_count = 1});
  faulty_jobs_ = std::make_unique<FaultyJobStore>(*job_store_, faults_);
  workers_ = std::make_unique<WorkerRegistry>(kLease);
  keeper_ = std::make_unique<BlobKeeper>(faulty_blobs_, *faulty_jobs_, metrics_,
                                         BlobKeeper::Options{.clock = &clock_});
  if (!keeper_->RemoveOrphans().ok()) {
    faults_.KillCoordinator();  // as sasqd does: its supervisor starts another
    return;
  }
  CoordinatorLimits limits;
  limits.max_running_per_tenant = 2;
  const CoordinatorParts parts = {clock_,   *faulty_jobs_, *keeper_,       *workers_,
                                  watched_, metrics_,      AllowedRoots(), limits};
  coordinator_ = std::make_unique<Coordinator>(parts);
  leases_ = std::make_unique<LeaseManager>(parts, LeaseManager::Options{.lease_duration = kLease});
}

void World::Turn() {
  if (!is_up()) {
    if (next_start_ == absl::InfinitePast()) {
      next_start_ = clock_.Now() + faults_.PickSeconds(0, 60);
    }
    if (clock_.Now() < next_start_) return;
    next_start_ = absl::InfinitePast();
    StartCoordinator();
    if (!is_up()) return;
  }
  (void)leases_->Tick(clock_.Now());
  for (size_t i = 0; i < late_.size() && is_up();) {
    if (late_[i].first > clock_.Now()) {
      ++i;
      continue;
    }
    const std::function<void()> deliver = std::move(late_[i].second);
    late_.erase(late_.begin() + static_cast<ptrdiff_t>(i));
    deliver();
  }
}

}  // namespace sasq::simulation
