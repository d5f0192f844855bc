#include "tests/worker/fake_coordinator.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/rpc_status.h"
#include "common/status_macros.h"

namespace sasq {

using dispatch::v1::Task;

namespace {

Task MakeTask(const std::string& name) {
  Task task;
  task.set_job(absl::StrCat("jobs/", name));
  task.set_lease_token(absl::StrCat("token-", name));
  task.set_attempt(1);
  return task;
}

}  // namespace

FakeCoordinator::FakeCoordinator(absl::Duration heartbeat_interval)
    : heartbeat_interval_(heartbeat_interval) {
  Start();
}

FakeCoordinator::~FakeCoordinator() { Stop(); }

std::string FakeCoordinator::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeCoordinator::Start() {
  {
    MutexLock lock(&mutex_);
    stopping_ = false;
  }
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address(), grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  SASQ_CHECK(server_ != nullptr);
}

void FakeCoordinator::Stop() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  server_.reset();
}

void FakeCoordinator::AddTask(const std::string& name, const std::string& checkpoint) {
  Task task = MakeTask(name);
  task.set_attempt(checkpoint.empty() ? 1 : 2);
  task.set_checkpoint(checkpoint);
  MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
  changed_.SignalAll();
}

void FakeCoordinator::AddUndelivered(const std::string& name, const std::string& worker_id) {
  MutexLock lock(&mutex_);
  undelivered_[worker_id] = MakeTask(name);
}

void FakeCoordinator::Cancel(const std::string& name) {
  MutexLock lock(&mutex_);
  cancelled_jobs_.insert(absl::StrCat("jobs/", name));
}

void FakeCoordinator::LoseLease(const std::string& name) {
  MutexLock lock(&mutex_);
  lost_tokens_.insert(absl::StrCat("token-", name));
}

void FakeCoordinator::ForgetWorkers() {
  MutexLock lock(&mutex_);
  workers_.clear();
}

void FakeCoordinator::FailNext(const std::string& method, int count, const absl::Status& status) {
  MutexLock lock(&mutex_);
  failures_[method] = {count, status};
}

bool FakeCoordinator::WaitUntil(const std::function<bool(const Seen&)>& condition) {
  const Stopwatch waited;
  MutexLock lock(&mutex_);
  while (!condition(seen_)) {
    const absl::Duration left = absl::Seconds(30 - waited.Seconds());
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(&mutex_, left);
  }
  return true;
}

FakeCoordinator::Seen FakeCoordinator::seen() const {
  MutexLock lock(&mutex_);
  return seen_;
}

absl::Status FakeCoordinator::PlannedFailureLocked(const std::string& method) {
  const auto found = failures_.find(method);
  if (found == failures_.end() || found->second.first == 0) return absl::OkStatus();
  --found->second.first;
  ++seen_.failed_calls;
  changed_.SignalAll();
  return found->second.second;
}

absl::Status FakeCoordinator::CheckWorkerLocked(const std::string& worker_id,
                                                const std::string& instance_id) {
  const auto found = workers_.find(worker_id);
  if (found != workers_.end() && found->second == instance_id) return absl::OkStatus();
  return WithReason(absl::NotFoundError("register first"), "WORKER_NOT_REGISTERED");
}

grpc::Status FakeCoordinator::RegisterWorker(grpc::ServerContext*,
                                             const dispatch::v1::RegisterWorkerRequest* request,
                                             dispatch::v1::RegisterWorkerResponse* response) {
  MutexLock lock(&mutex_);
  changed_.SignalAll();
  if (absl::Status status = PlannedFailureLocked("RegisterWorker"); !status.ok()) {
    return ToGrpcStatus(status);
  }
  const auto [entry, added] = workers_.emplace(request->worker_id(), request->instance_id());
  if (!added && entry->second != request->instance_id()) {
    ++seen_.refused_registrations;
    return ToGrpcStatus(WithReason(absl::AlreadyExistsError("another process has this worker_id"),
                                   "WORKER_ID_TAKEN"));
  }
  seen_.registrations.push_back(*request);
  response->mutable_heartbeat_interval()->set_nanos(
      static_cast<int32_t>(absl::ToInt64Nanoseconds(heartbeat_interval_)));
  response->mutable_lease_duration()->set_seconds(30);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::LeaseTask(grpc::ServerContext* context,
                                        const dispatch::v1::LeaseTaskRequest* request,
                                        dispatch::v1::LeaseTaskResponse* response) {
  const Stopwatch waited;
  const double wait_seconds = request->wait().seconds() + 1e-9 * request->wait().nanos();
  MutexLock lock(&mutex_);
  ++seen_.lease_calls;
  changed_.SignalAll();
  if (absl::Status status = PlannedFailureLocked("LeaseTask"); !status.ok()) {
    return ToGrpcStatus(status);
  }
  if (absl::Status status = CheckWorkerLocked(request->worker_id(), request->instance_id());
      !status.ok()) {
    return ToGrpcStatus(status);
  }
  if (auto found = undelivered_.extract(request->worker_id()); !found.empty()) {
    *response->mutable_task() = std::move(found.mapped());
    return grpc::Status::OK;
  }
  // A later call of the same worker says that this one was given up, whatever gRPC knows of it.
  const int call = ++lease_calls_of_[request->instance_id()];
  const auto current = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return call == lease_calls_of_[request->instance_id()] && !context->IsCancelled();
  };
  while (tasks_.empty() && !stopping_ && current() && waited.Seconds() < wait_seconds) {
    changed_.WaitFor(&mutex_, absl::Milliseconds(10));  // nothing signals a cancelled call
  }
  if (stopping_) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server stops");
  if (!tasks_.empty() && current()) {
    *response->mutable_task() = tasks_.front();
    tasks_.pop_front();
  }
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::Heartbeat(grpc::ServerContext*,
                                        const dispatch::v1::HeartbeatRequest* request,
                                        dispatch::v1::HeartbeatResponse* response) {
  MutexLock lock(&mutex_);
  changed_.SignalAll();
  if (absl::Status status = PlannedFailureLocked("Heartbeat"); !status.ok()) {
    return ToGrpcStatus(status);
  }
  if (absl::Status status = CheckWorkerLocked(request->worker_id(), request->instance_id());
      !status.ok()) {
    return ToGrpcStatus(status);
  }
  if (lost_tokens_.contains(request->lease_token())) {
    return ToGrpcStatus(WithReason(absl::AbortedError("the lease is lost"), "LEASE_LOST"));
  }
  seen_.heartbeats.push_back(*request);
  response->set_directive(cancelled_jobs_.contains(request->job())
                              ? dispatch::v1::DIRECTIVE_CANCEL
                              : dispatch::v1::DIRECTIVE_CONTINUE);
  return grpc::Status::OK;
}

grpc::Status FakeCoordinator::CompleteTask(grpc::ServerContext*,
                                           const dispatch::v1::CompleteTaskRequest* request,
                                           dispatch::v1::CompleteTaskResponse*) {
  MutexLock lock(&mutex_);
  changed_.SignalAll();
  if (absl::Status status = PlannedFailureLocked("CompleteTask"); !status.ok()) {
    return ToGrpcStatus(status);
  }
  if (lost_tokens_.contains(request->lease_token())) {
    return ToGrpcStatus(WithReason(absl::AbortedError("the lease is lost"), "LEASE_LOST"));
  }
  seen_.completions.push_back(*request);
  return grpc::Status::OK;
}

}  // namespace sasq
