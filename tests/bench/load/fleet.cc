#include "absl/strings/str_cat.h"
#include "common/uid.h"
#include "tests/bench/load/load.h"

namespace sasq::load {
namespace {

std::string WorkerId(int worker) { return absl::StrCat("worker-", worker); }

}  // namespace

void Fleet::Register() {
  for (int worker = 0; worker < flags_.worker_count; ++worker) {
    const auto call = std::make_shared<
        Call<dispatch::v1::RegisterWorkerRequest, dispatch::v1::RegisterWorkerResponse>>();
    call->request.set_worker_id(WorkerId(worker));
    call->request.set_instance_id("1");
    call->request.set_version("load");
    v1::WorkerCapabilities& capabilities = *call->request.mutable_capabilities();
    capabilities.set_device_kind(v1::DEVICE_KIND_CPU);
    capabilities.set_device_name("simulated");
    capabilities.set_memory_bytes(int64_t{16} << 30);
    capabilities.set_thread_count(1);
    capabilities.set_kernel_path("portable");
    capabilities.set_float_flops_per_second(1e10);
    {
      MutexLock lock(&mutex_);
      ++active_;
    }
    stubs_.Next()->RegisterWorker(&call->context, &call->request, &call->response,
                                  [this, call](const grpc::Status& status) {
                                    if (!status.ok()) leases_.AddFailure();
                                    MutexLock lock(&mutex_);
                                    --active_;
                                    changed_.SignalAll();
                                  });
  }
  MutexLock lock(&mutex_);
  while (active_ > 0) changed_.Wait(&mutex_);
}

void Fleet::Start() {
  const absl::Duration apart = absl::Seconds(flags_.heartbeat_seconds) / flags_.worker_count;
  for (int worker = 0; worker < flags_.worker_count; ++worker) {
    {
      MutexLock lock(&mutex_);
      ++active_;
    }
    scheduler_.At(absl::Now() + worker * apart, [this, worker] { Lease(worker); });
  }
}

void Fleet::Lease(int worker) {
  if (stopping_.load()) {
    MutexLock lock(&mutex_);
    --active_;
    changed_.SignalAll();
    return;
  }
  const auto call =
      std::make_shared<Call<dispatch::v1::LeaseTaskRequest, dispatch::v1::LeaseTaskResponse>>();
  call->request.set_worker_id(WorkerId(worker));
  call->request.set_instance_id("1");
  call->request.mutable_wait()->set_seconds(30);
  stubs_.Next()->LeaseTask(
      &call->context, &call->request, &call->response,
      [this, worker, call](const grpc::Status& status) {
        if (!status.ok() || !call->response.has_task()) {
          leases_.AddFailure();
          scheduler_.At(absl::Now() + absl::Seconds(1), [this, worker] { Lease(worker); });
          return;
        }
        leases_.Add(absl::Now() - call->start);
        const auto task = std::make_shared<const Task>(
            Task{worker, call->response.task().job(), call->response.task().lease_token(),
                 absl::Now() + absl::Seconds(flags_.task_seconds)});
        Beat(task);
      });
}

void Fleet::Beat(const std::shared_ptr<const Task>& task) {
  const auto call =
      std::make_shared<Call<dispatch::v1::HeartbeatRequest, dispatch::v1::HeartbeatResponse>>();
  call->request.set_worker_id(WorkerId(task->worker));
  call->request.set_instance_id("1");
  call->request.set_job(task->job);
  call->request.set_lease_token(task->token);
  call->request.mutable_progress()->set_step(absl::ToUnixSeconds(absl::Now()));
  call->request.set_log_data("a line of the log, as workers write them\n");
  call->request.set_checkpoint(std::string(8'000, 'c'));
  stubs_.Next()->Heartbeat(&call->context, &call->request, &call->response,
                           [this, task, call](const grpc::Status& status) {
                             if (status.ok()) {
                               heartbeats_.Add(absl::Now() - call->start);
                             } else {
                               heartbeats_.AddFailure();
                             }
                             const absl::Time next =
                                 absl::Now() + absl::Seconds(flags_.heartbeat_seconds);
                             if (next < task->end) {
                               scheduler_.At(next, [this, task] { Beat(task); });
                             } else {
                               scheduler_.At(task->end, [this, task] { Complete(task); });
                             }
                           });
}

void Fleet::Complete(const std::shared_ptr<const Task>& task) {
  const auto call = std::make_shared<
      Call<dispatch::v1::CompleteTaskRequest, dispatch::v1::CompleteTaskResponse>>();
  call->request.set_job(task->job);
  call->request.set_lease_token(task->token);
  v1::ReportRow& row = *call->request.mutable_succeeded()->add_rows();
  row.set_name("sasq");
  row.set_method(v1::METHOD_SASQ);
  row.set_first_token(v1::FIRST_TOKEN_QUANTIZED);
  row.set_perplexity(17);
  for (const char* name : {"scales.safetensors", "report.json", "report.html", "manifest.json"}) {
    dispatch::v1::ArtifactFile& file = *call->request.mutable_succeeded()->add_files();
    file.set_file_name(name);
    file.set_content(absl::StrCat(name, " of ", task->job, std::string(2'000, '.')));
  }
  stubs_.Next()->CompleteTask(&call->context, &call->request, &call->response,
                              [this, task, call](const grpc::Status& status) {
                                if (status.ok()) {
                                  completions_.Add(absl::Now() - call->start);
                                  MutexLock lock(&mutex_);
                                  completed_.insert(task->job);
                                } else {
                                  completions_.AddFailure();
                                }
                                Lease(task->worker);
                              });
}

void Fleet::Finish() {
  stopping_.store(true);
  MutexLock lock(&mutex_);
  while (active_ > 0) changed_.Wait(&mutex_);
}

std::set<std::string> Fleet::completed_jobs() {
  MutexLock lock(&mutex_);
  return completed_;
}

}  // namespace sasq::load
