// A coordinator of a few lines: hands out the tasks that a test adds, and remembers what it is
// told.
#ifndef SASQ_TESTS_WORKER_FAKE_COORDINATOR_H_
#define SASQ_TESTS_WORKER_FAKE_COORDINATOR_H_

#include <grpcpp/server.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "sasq/dispatch/v1/dispatch_service.grpc.pb.h"

namespace sasq {

// Thread-safe. What it knows outlives Stop and Start, as a coordinator's database does; only the
// registered workers have to be forgotten by ForgetWorkers.
class FakeCoordinator final : public dispatch::v1::DispatchService::Service {
 public:
  // What arrived and was accepted, in order.
  struct Seen {
    std::vector<dispatch::v1::RegisterWorkerRequest> registrations;
    std::vector<dispatch::v1::HeartbeatRequest> heartbeats;
    std::vector<dispatch::v1::CompleteTaskRequest> completions;
    int refused_registrations = 0;
    int lease_calls = 0;   // waiting ones included
    int failed_calls = 0;  // by FailNext
  };

  // Listens on loopback.
  explicit FakeCoordinator(absl::Duration heartbeat_interval = absl::Milliseconds(20));
  ~FakeCoordinator() override;

  std::string address() const;

  // Cuts every connection and stops listening; Start listens on the same port again.
  void Stop();
  void Start();

  // A task `jobs/NAME` with the lease token `token-NAME`.
  void AddTask(const std::string& name, const std::string& checkpoint = "");
  // A task that was leased to the worker `worker_id`, but whose answer got lost: its next LeaseTask
  // gets it, one that waits now does not.
  void AddUndelivered(const std::string& name, const std::string& worker_id);
  // The next heartbeat of the job is told to cancel.
  void Cancel(const std::string& name);
  // Everything that is said with the job's token gets ABORTED from now on.
  void LoseLease(const std::string& name);
  void ForgetWorkers();
  // The next `count` calls of `method`, such as "Heartbeat", fail with `status`.
  void FailNext(const std::string& method, int count, const absl::Status& status);

  // Waits until the condition holds. False after 30 s, far beyond what a slow machine needs.
  bool WaitUntil(const std::function<bool(const Seen&)>& condition);
  Seen seen() const;

 private:
  grpc::Status RegisterWorker(grpc::ServerContext* context,
                              const dispatch::v1::RegisterWorkerRequest* request,
                              dispatch::v1::RegisterWorkerResponse* response) override;
  grpc::Status LeaseTask(grpc::ServerContext* context,
                         const dispatch::v1::LeaseTaskRequest* request,
                         dispatch::v1::LeaseTaskResponse* response) override;
  grpc::Status Heartbeat(grpc::ServerContext* context,
                         const dispatch::v1::HeartbeatRequest* request,
                         dispatch::v1::HeartbeatResponse* response) override;
  grpc::Status CompleteTask(grpc::ServerContext* context,
                            const dispatch::v1::CompleteTaskRequest* request,
                            dispatch::v1::CompleteTaskResponse* response) override;

  // The status that FailNext wants for this call of `method`.
  absl::Status PlannedFailureLocked(const std::string& method)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckWorkerLocked(const std::string& worker_id, const std::string& instance_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Used by the test's thread.
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;

  const absl::Duration heartbeat_interval_;

  mutable Mutex mutex_;
  CondVar changed_;
  Seen seen_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, std::string> workers_ ABSL_GUARDED_BY(mutex_);             // id: instance
  std::map<std::string, int> lease_calls_of_ ABSL_GUARDED_BY(mutex_);              // by instance
  std::map<std::string, dispatch::v1::Task> undelivered_ ABSL_GUARDED_BY(mutex_);  // by worker
  std::deque<dispatch::v1::Task> tasks_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> cancelled_jobs_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> lost_tokens_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::pair<int, absl::Status>> failures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sasq

#endif  // SASQ_TESTS_WORKER_FAKE_COORDINATOR_H_
