#include "tests/server/simulation/simulated_worker.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/rpc_status.h"
#include "common/sha256.h"
#include "tests/server/test_jobs.h"

namespace sasq::simulation {

std::string TrainedBytes(int64_t seed, int step_count) {
  std::string state = absl::StrCat("seed ", seed);
  for (int step = 1; step <= step_count; ++step) state = Sha256Hex(absl::StrCat(state, step));
  return state;
}

void SimulatedWorker::Act() {
  Faults& faults = world_.faults();
  if (world_.clock().Now() < stalled_until_) return;
  if (faults.Happens(faults.rates().worker_crash)) return Die();
  if (faults.Happens(faults.rates().worker_stall)) {
    stalled_until_ = world_.clock().Now() + faults.PickSeconds(5, 90);
    return;
  }
  if (outcome_.has_value()) return Deliver();
  if (!registered_) return Register();
  if (!task_.has_value()) return Lease();
  Work();
}

void SimulatedWorker::Die() {
  ++instance_;
  registered_ = false;
  task_.reset();
  outcome_.reset();
  stalled_until_ = world_.clock().Now() + world_.faults().PickSeconds(0, 60);
}

void SimulatedWorker::Register() {
  registered_ = world_
                    .Call<dispatch::v1::RegisterWorkerResponse>([this] {
                      return world_.leases().RegisterWorker(
                          WorkerNamed(id_, absl::StrCat(instance_), device_kind_));
                    })
                    .ok();
}

void SimulatedWorker::Lease() {
  using Leased = std::optional<dispatch::v1::Task>;
  const std::string instance = absl::StrCat(instance_);
  const absl::StatusOr<Leased> leased =
      world_.Call<Leased>([this, instance]() -> absl::StatusOr<Leased> {
        // As LeaseTask does.
        absl::StatusOr<Leased> undelivered = world_.leases().FindUndelivered(id_, instance);
        if (!undelivered.ok() || undelivered->has_value()) return undelivered;
        return world_.leases().LeaseNext(id_, instance);
      });
  if (ReasonOf(leased.status()) == "WORKER_NOT_REGISTERED") registered_ = false;
  if (!leased.ok() || !leased->has_value()) return;
  task_ = **leased;
  lost_ = false;
  step_ = 0;
  if (!task_->checkpoint().empty()) {
    (void)absl::SimpleAtoi(task_->checkpoint(), &step_);
  }
}

void SimulatedWorker::Work() {
  if (step_ < kStepCount) {
    ++step_;
    if (world_.faults().Happens(0.7)) Beat();
    return;
  }
  Finish();
}

void SimulatedWorker::Beat() {
  dispatch::v1::HeartbeatRequest beat = HeartbeatOf(*task_, id_, absl::StrCat(instance_));
  beat.set_checkpoint(absl::StrCat(step_));
  beat.mutable_progress()->set_step(step_);
  beat.set_log_data(absl::StrCat("step ", step_, "\n"));
  beat.set_content_key(Sha256Hex(absl::StrCat("computes ", task_->spec().seed())));
  const auto answer = world_.Call<dispatch::v1::HeartbeatResponse>(
      [this, beat] { return world_.leases().Heartbeat(beat); });
  if (ReasonOf(answer.status()) == "WORKER_NOT_REGISTERED") registered_ = false;
  if (absl::IsAborted(answer.status())) {
    if (world_.faults().Happens(world_.faults().rates().worker_ignores_loss)) {
      lost_ = true;
    } else {
      task_.reset();
    }
    return;
  }
  if (!answer.ok()) return;
  if (answer->directive() == dispatch::v1::DIRECTIVE_CANCEL) {
    outcome_ = OutcomeOf(*task_);
    outcome_->mutable_cancelled();
  } else if (answer->directive() == dispatch::v1::DIRECTIVE_DROP) {
    task_.reset();
  }
}

void SimulatedWorker::Finish() {
  Faults& faults = world_.faults();
  const bool healthy = faults.rates().worker_crash == 0;
  const int64_t dice = healthy ? 99 : faults.Pick(0, 99);
  outcome_ = OutcomeOf(*task_);
  if (dice < 8) {
    outcome_->mutable_handed_back()->set_checkpoint(absl::StrCat(step_));
  } else if (dice < 20) {
    constexpr v1::JobFailureReason kReasons[] = {
        v1::JOB_FAILURE_REASON_INTERNAL, v1::JOB_FAILURE_REASON_OUT_OF_MEMORY,
        v1::JOB_FAILURE_REASON_DIVERGED, v1::JOB_FAILURE_REASON_DISK_FULL};
    outcome_->mutable_failed()->mutable_error()->set_reason(kReasons[faults.Pick(0, 3)]);
  } else {
    dispatch::v1::TaskSucceeded& succeeded = *outcome_->mutable_succeeded();
    *succeeded.add_rows() = Row(v1::METHOD_SASQ, 17.5);
    const std::pair<const char*, std::string> files[] = {
        {"scales.safetensors", TrainedBytes(task_->spec().seed(), step_)},
        {"report.json", task_->lease_token()},
        {"report.html", "page"},
        {"manifest.json", task_->lease_token()}};
    for (const auto& [name, content] : files) {
      dispatch::v1::ArtifactFile& file = *succeeded.add_files();
      file.set_file_name(name);
      file.set_content(content);
    }
  }
}

void SimulatedWorker::Deliver() {
  const dispatch::v1::CompleteTaskRequest request = *outcome_;
  const absl::Status status = world_
                                  .Call<bool>([this, request]() -> absl::StatusOr<bool> {
                                    const absl::Status completed =
                                        world_.leases().CompleteTask(request);
                                    if (!completed.ok()) return completed;
                                    return true;
                                  })
                                  .status();
  if (!status.ok() && !absl::IsAborted(status) && !absl::IsInvalidArgument(status)) return;
  if (request.has_succeeded()) verdicts_.emplace(request.lease_token(), status);
  outcome_.reset();
  task_.reset();
}

}  // namespace sasq::simulation
