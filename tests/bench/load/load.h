// The parts of load_bench: what puts load on a coordinator and measures it. Everything is
// thread-safe, and calls are asynchronous: a thousand workers need no thousand threads here either.
#ifndef SASQ_TESTS_BENCH_LOAD_LOAD_H_
#define SASQ_TESTS_BENCH_LOAD_LOAD_H_

#include <grpcpp/grpcpp.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "sasq/dispatch/v1/dispatch_service.grpc.pb.h"
#include "sasq/v1/quantization_service.grpc.pb.h"

namespace sasq::load {

struct Flags {
  std::string sasqd;         // the program
  std::string folder;        // empty: a temporary one on this disk
  int job_count = 100'000;   // queued before workers come
  int submitter_count = 64;  // SubmitJob calls in flight
  int worker_count = 1'000;
  int watcher_count = 1'000;
  double heartbeat_seconds = 10;  // a third of a lease
  double task_seconds = 20;       // of a task, from its lease to its result
  double seconds = 60;            // how long workers take tasks
};

// Durations of one kind of call.
class Latencies {
 public:
  void Add(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);
  void AddFailure() { ++failures_; }
  int failures() const { return failures_.load(); }
  // A row of the table: calls, rate over `seconds`, median and 99th percentile, failures.
  void Print(const char* name, double seconds) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Mutex mutex_;
  std::vector<double> milliseconds_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> failures_ = 0;
};

// Runs functions at their time, on one thread of its own.
class Scheduler {
 public:
  Scheduler();
  ~Scheduler();
  void At(absl::Time time, std::function<void()> run) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::multimap<absl::Time, std::function<void()>> entries_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: uses the members above
};

// A sasqd of this bench's own, ended with it.
class CoordinatorProcess {
 public:
  CoordinatorProcess(const Flags& flags, const std::string& folder);
  ~CoordinatorProcess();
  // Empty: it did not start.
  const std::string& endpoint() const { return endpoint_; }
  // A number of /proc/PID/status, such as VmHWM in KiB or Threads; 0 if it is not there.
  int64_t Status(const std::string& field) const;

 private:
  pid_t process_ = 0;
  std::string endpoint_;
};

// Stubs on connections of their own, used in turn.
template <typename Service>
class Stubs {
 public:
  Stubs(const std::string& endpoint, int count) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    for (int i = 0; i < count; ++i) {
      stubs_.push_back(Service::NewStub(
          grpc::CreateCustomChannel(endpoint, grpc::InsecureChannelCredentials(), arguments)));
    }
  }
  auto* Next() { return stubs_[next_++ % stubs_.size()]->async(); }

 private:
  std::vector<std::unique_ptr<typename Service::Stub>> stubs_;
  std::atomic<size_t> next_ = 0;
};

// A unary call and what it needs until its end.
template <typename Request, typename Response>
struct Call {
  grpc::ClientContext context;
  Request request;
  Response response;
  const absl::Time start = absl::Now();
};

// Keeps SubmitJob calls in flight until all jobs are accepted.
class Submitters {
 public:
  Submitters(const Flags& flags, const std::string& endpoint)
      : flags_(flags), stubs_(endpoint, 8) {}
  // Blocks. Returns the seconds that it took.
  double Run();
  Latencies& latencies() { return latencies_; }
  // Names of the accepted jobs, in the order of their acceptance as it was heard of.
  const std::vector<std::string>& names() const { return names_; }

 private:
  void SubmitNext() ABSL_LOCKS_EXCLUDED(mutex_);

  const Flags& flags_;
  Stubs<v1::QuantizationService> stubs_;
  Latencies latencies_;
  Mutex mutex_;
  CondVar changed_;
  int begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> names_;
};

// Workers that lease, send heartbeats and complete, until they are told to stop.
class Fleet {
 public:
  Fleet(const Flags& flags, const std::string& endpoint, Scheduler& scheduler)
      : flags_(flags), scheduler_(scheduler), stubs_(endpoint, 32) {}
  // Registers all of them. Blocks.
  void Register();
  // They come one by one within a heartbeat's interval.
  void Start();
  // Nobody takes another task; blocks until what is held is completed.
  void Finish();
  Latencies& leases() { return leases_; }
  Latencies& heartbeats() { return heartbeats_; }
  Latencies& completions() { return completions_; }
  std::set<std::string> completed_jobs() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    int worker = 0;
    std::string job;
    std::string token;
    absl::Time end;
  };
  void Lease(int worker);
  void Beat(const std::shared_ptr<const Task>& task);
  void Complete(const std::shared_ptr<const Task>& task);

  const Flags& flags_;
  Scheduler& scheduler_;
  Stubs<dispatch::v1::DispatchService> stubs_;
  Latencies leases_;
  Latencies heartbeats_;
  Latencies completions_;
  std::atomic<bool> stopping_ = false;
  Mutex mutex_;
  CondVar changed_;
  int active_ ABSL_GUARDED_BY(mutex_) = 0;  // workers that have something to do still
  std::set<std::string> completed_ ABSL_GUARDED_BY(mutex_);
};

// WatchJob streams, one for each of the first jobs.
class Watchers {
 public:
  Watchers(const std::vector<std::string>& jobs, int count, const std::string& endpoint);
  ~Watchers();
  // Streams that are open and have shown their job.
  int open_count() const { return open_count_.load(); }
  // Jobs whose end was seen.
  std::set<std::string> ended_jobs() ABSL_LOCKS_EXCLUDED(mutex_);
  // Streams that broke.
  int broken_count() const { return broken_count_.load(); }

 private:
  class Watch;
  Stubs<v1::QuantizationService> stubs_;
  std::atomic<int> open_count_ = 0;
  std::atomic<int> broken_count_ = 0;
  Mutex mutex_;
  CondVar changed_;
  std::set<std::string> ended_ ABSL_GUARDED_BY(mutex_);
  int unfinished_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace sasq::load

#endif  // SASQ_TESTS_BENCH_LOAD_LOAD_H_
